"""What one client may cost the HTTP server: bytes, seconds, connections."""

from collections.abc import Iterable

import attrs
from attrs.validators import ge, gt

__all__ = ["ServerLimits"]


def _host_names(hosts: Iterable[str] | None) -> frozenset[str] | None:
    return None if hosts is None else frozenset(host.lower().removeprefix("[").removesuffix("]") for host in hosts)


@attrs.frozen(kw_only=True)
class ServerLimits:
    """Bounds of the HTTP server. Every one is enforced before memory or time is spent."""

    connections_max: int = attrs.field(default=256, validator=ge(1))
    """Open connections; one more is answered 503."""

    header_bytes_max: int = attrs.field(default=16_384, validator=ge(256))
    """Request line and headers of one request together; more is answered 431."""

    body_bytes_max: int = attrs.field(default=1_048_576, validator=ge(0))
    """Body of one request, announced or counted; more is answered 413. Routes may allow less."""

    header_timeout_s: float = attrs.field(default=5.0, validator=gt(0))
    """From the first byte of a request to the end of its headers; also from accept to the first byte."""

    body_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    """Waiting for the body of one request, all its pauses together."""

    keep_alive_timeout_s: float = attrs.field(default=15.0, validator=gt(0))
    """Between two requests on one connection."""

    write_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    """Until the peer has taken one piece (at most 64 KiB) of a response."""

    drain_s: float = attrs.field(default=2.0, validator=ge(0))
    """For the requests in flight to finish after shutdown was asked."""

    allowed_hosts: frozenset[str] | None = attrs.field(default=None, converter=_host_names)
    """Host names that requests may be addressed to, lower-case, without port (and brackets); None allows every host."""
