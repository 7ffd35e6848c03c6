"""Settings of the engine's own HTTP server."""

import ipaddress

import attrs

from config.field import flag, secret, text, whole
from config.secrets import Secret


def _are_networks(value: str) -> bool:
    try:
        for part in filter(str.strip, value.split(",")):
            ipaddress.ip_network(part.strip(), strict=False)
    except ValueError:
        return False
    return True


@attrs.frozen(kw_only=True)
class HttpConfig:
    """The engine's own HTTP server."""

    host: str = text("127.0.0.1", allowed="an address or host name", doc="address to listen on",
                     check=lambda value: bool(value) and value.isprintable())  # fmt: skip
    port: int = whole(8087, at_least=0, at_most=65535, doc="port to listen on; 0 takes any free one")
    allowed_hosts: str = text("localhost, 127.0.0.1, [::1]", allowed="names separated by commas, or *", check=bool,
                              doc="host names a request may be addressed to")  # fmt: skip
    admin_token: Secret | None = secret(doc="bootstrap token of the user admin")
    metrics_token: Secret | None = secret(doc="bearer token that may read /metrics from elsewhere than loopback")
    connections_max: int = whole(512, at_least=8, at_most=10_000, doc="connections served at once; more get 503")
    streams_max: int = whole(256, at_least=1, at_most=10_000, doc="event streams among them; more get 503")
    reads_per_minute: int = whole(
        1_200, at_least=1, at_most=10_000_000, doc="price and feed reads of one token", restart=False
    )
    changes_per_minute: int = whole(120, at_least=1, at_most=10_000_000, doc="changes by one token", restart=False)
    admin_per_minute: int = whole(
        60, at_least=1, at_most=10_000_000, doc="calls for administrators by one token", restart=False
    )
    trusted_proxies: str = text("", allowed="addresses or networks separated by commas", check=_are_networks,
                                doc="whose x-forwarded-for and x-forwarded-proto are believed")  # fmt: skip
    login_url: bool = flag(True, doc="print a login URL at start, on loopback and without live trading only")
