"""Who gives a command."""

import getpass
import os
import socket


def operator_name() -> str:
    """Returns who gives this command, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user} on {socket.gethostname()}, by command"
