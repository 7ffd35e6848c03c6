"""Whether an engine may let somebody in without a password."""

import ipaddress

from config.http import HttpConfig


def login_url_allowed(http: HttpConfig, *, is_money_real: bool) -> bool:
    """Returns whether login URLs may be made: wanted, nothing real traded, and only this machine reaches the engine."""
    return http.login_url and not is_money_real and _is_loopback(http.host)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
