"""What stands behind a host's name, and whether it is the public internet."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host and port, as text. Raises OSError when it has none."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as text. Raises OSError when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: not private, loopback, link-local, reserved, multicast or
    shared, also when an IPv6 address carries such an IPv4 address in it (mapped, 6to4, Teredo, NAT64)."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = _carried(parsed) if isinstance(parsed, ipaddress.IPv6Address) else ()
    return all(_is_public(one) for one in (inner or (parsed,)))


def _is_public(address: _Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _carried(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)
    return ()
