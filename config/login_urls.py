"""Whether an engine may let somebody in without a password."""

import ipaddress

from config.http import HttpConfig


def login_url_allowed(http: HttpConfig, *, is_money_real: bool) -> bool:
    """Returns whether login URLs may be made: wanted, nothing real traded, and only this machine reaches the engine."""
    return http.login_url and not is_money_real and is_loopback(http.host)


def is_loopback(host: str) -> bool:
    """Returns whether a host name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
