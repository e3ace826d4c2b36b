"""Whether an address that a stranger wrote may and can be used: its host is allowed and public, and it answers well.

The address behind a name is looked up once, judged, and that very address is connected to: a name server that answers
differently the second time gains nothing. Redirects are followed by hand, each judged anew.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import httpx2

from systems.common.web.addresses import Resolve, is_public, resolve_host

TIMEOUT_S = 5.0
MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}


class _Refused(Exception):
    """The reason in words."""


class WebCheck(ABC):
    """Asks an address, and reads only the head of the answer. `allow_private` is for local tests."""

    method: ClassVar[str] = "GET"
    accept: ClassVar[str] = "*/*"

    def __init__(
        self, *, allow_private: bool = False, timeout_s: float = TIMEOUT_S, resolve: Resolve = resolve_host
    ) -> None:
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._resolve = resolve

    @abstractmethod
    def host_refusal(self, host: str) -> str | None:
        """Why a host (lower case) is not even asked, None when it may be."""

    @abstractmethod
    def answer_refusal(self, response: httpx2.Response) -> str | None:
        """Why an answer that is no redirect will not do, None when it does. Its body has not been read."""

    async def refusal(self, url: str) -> str | None:
        """Why the address will not do, in words; None when it does. Network trouble is a reason, not an exception.

        `timeout_s` bounds the whole of it, redirects included.
        """
        # No proxy from the environment: it would connect to an address of its own finding. No connection is kept,
        # because it would be kept under the number and not under the name.
        limits = httpx2.Limits(max_keepalive_connections=0)
        try:
            async with asyncio.timeout(self._timeout_s), httpx2.AsyncClient(trust_env=False, limits=limits) as client:
                await self._follow(client, httpx2.URL(url))
        except _Refused as refused:
            return str(refused)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return f"cannot be fetched ({type(error).__name__})"
        return None

    async def _follow(self, client: httpx2.AsyncClient, url: httpx2.URL) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            location = await self._visit(client, url)
            if location is None:
                return
            url = url.join(location)
        raise _Refused(f"more than {MAX_REDIRECTS} redirects")

    async def _visit(self, client: httpx2.AsyncClient, url: httpx2.URL) -> str | None:
        """Where the address redirects to, or None when it does not. Raises `_Refused` otherwise."""
        unreachable: httpx2.ConnectError | None = None
        for address in await self._allowed_addresses(url):
            try:
                return await self._ask(client, url, address)
            except httpx2.ConnectError as error:  # a host may have an address that cannot be reached from here
                unreachable = error
        raise unreachable or _Refused("the host has no address")

    async def _ask(self, client: httpx2.AsyncClient, url: httpx2.URL, address: str) -> str | None:
        request = client.build_request(
            self.method,
            url.copy_with(host=address),
            headers={"Host": url.netloc.decode("ascii"), "Accept": self.accept},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            if response.has_redirect_location:
                return response.headers["location"]
            refusal = self.answer_refusal(response)
        finally:
            await response.aclose()
        if refusal is not None:
            raise _Refused(refusal)
        return None

    async def _allowed_addresses(self, url: httpx2.URL) -> Sequence[str]:
        if url.scheme not in _PORTS or not url.host:
            raise _Refused("not an http or https address")
        if url.userinfo:
            raise _Refused("the address has a user part")
        host = url.host.lower().rstrip(".")
        refusal = self.host_refusal(host)
        if refusal is not None:
            raise _Refused(refusal)
        addresses = await self._resolve(host, url.port or _PORTS[url.scheme])
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise _Refused(f"host {host} is not a public address")
        return addresses
