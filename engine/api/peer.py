"""Where a request comes from, behind a proxy too."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Headers = Sequence[tuple[bytes, bytes]]


@attrs.frozen(kw_only=True)
class Peer:
    """Who sent a request, and how."""

    address: str
    """Of the client itself; empty when nobody knows."""
    is_https: bool


def networks_of(text: str) -> tuple[Network, ...]:
    """Returns the networks of a comma-separated list. Raises `ValueError`."""
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def peer_of(scope: Mapping[str, Any], trusted: Sequence[Network]) -> Peer:
    """Returns who sent a request. Forwarding headers count only when a trusted proxy brought it, and of them the last value.

    What stands before that was written by somebody whom nobody knows.
    """
    client = scope.get("client")
    address = client[0] if client else ""
    if not trusted or not _is_in(address, trusted):
        return Peer(address=address, is_https=scope.get("scheme") == "https")
    headers: _Headers = scope["headers"]
    forwarded = _last(headers, b"x-forwarded-for")
    is_https = _last(headers, b"x-forwarded-proto").lower() == "https"
    return Peer(address=forwarded or address, is_https=is_https)


def _last(headers: _Headers, name: bytes) -> str:
    values = [value for header, value in headers if header == name]
    return values[-1].rpartition(b",")[2].strip().decode("latin-1") if values else ""


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
