"""Which addresses count as one client."""

import ipaddress


def network_of(address: str) -> str:
    """Returns the address, for IPv6 its /64: one client has all addresses of that. What is no address is the empty text."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.exploded[:19]
