"""Whether a found picture may and can be used: its host is allowed and public, and it answers with a picture.

The address behind a name is looked up once, judged, and that very address is connected to: a name server that answers
differently the second time gains nothing. Redirects are followed by hand, each judged anew.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx2

TIMEOUT_S = 5.0
MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class _Refused(Exception):
    """The reason in words."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as text. Raises OSError when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class HttpImageCheck:
    """The port `ImageCheck` by a real request, of which only the head of the answer is read.

    `blocked_hosts` holds names that are refused together with what is below them; `allow_private` is for local tests.
    """

    def __init__(
        self,
        *,
        blocked_hosts: Sequence[str],
        allow_private: bool = False,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._blocked = tuple(host.lower().strip(".") for host in blocked_hosts)
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._resolve = resolve

    async def refusal(self, image_url: str) -> str | None:
        """See the port. `timeout_s` bounds the whole of it, redirects included."""
        # No proxy from the environment: it would connect to an address of its own finding. No connection is kept,
        # because it would be kept under the number and not under the name.
        limits = httpx2.Limits(max_keepalive_connections=0)
        try:
            async with asyncio.timeout(self._timeout_s), httpx2.AsyncClient(trust_env=False, limits=limits) as client:
                await self._follow(client, image_url)
        except _Refused as refused:
            return str(refused)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return f"cannot be fetched ({type(error).__name__})"
        return None

    async def _follow(self, client: httpx2.AsyncClient, image_url: str) -> None:
        url = httpx2.URL(image_url)
        for _ in range(MAX_REDIRECTS + 1):
            location = await self._visit(client, url)
            if location is None:
                return
            url = url.join(location)
        raise _Refused(f"more than {MAX_REDIRECTS} redirects")

    async def _visit(self, client: httpx2.AsyncClient, url: httpx2.URL) -> str | None:
        """Where the address redirects to, or None when it is a picture. Raises `_Refused` otherwise."""
        unreachable: httpx2.ConnectError | None = None
        for address in await self._allowed_addresses(url):
            try:
                return await self._ask(client, url, address)
            except httpx2.ConnectError as error:  # a host may have an address that cannot be reached from here
                unreachable = error
        raise unreachable or _Refused("the host has no address")

    async def _ask(self, client: httpx2.AsyncClient, url: httpx2.URL, address: str) -> str | None:
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={"Host": url.netloc.decode("ascii"), "Accept": "image/*"},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            if response.has_redirect_location:
                return response.headers["location"]
            _must_be_picture(response)
        finally:
            await response.aclose()
        return None

    async def _allowed_addresses(self, url: httpx2.URL) -> Sequence[str]:
        if url.scheme not in _PORTS or not url.host:
            raise _Refused("not an http or https address")
        if url.userinfo:
            raise _Refused("the address has a user part")
        host = url.host.lower().rstrip(".")
        if any(host == blocked or host.endswith(f".{blocked}") for blocked in self._blocked):
            raise _Refused(f"host {host} is blocked")
        addresses = await self._resolve(host, url.port or _PORTS[url.scheme])
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise _Refused(f"host {host} is not a public address")
        return addresses


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


def _must_be_picture(response: httpx2.Response) -> None:
    if not response.is_success:
        raise _Refused(f"answered {response.status_code}")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise _Refused(f"is {kind or 'of no stated kind'}, not a picture")
