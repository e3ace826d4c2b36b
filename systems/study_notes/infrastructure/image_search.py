"""Pictures from the web by SerpAPI, then Serper; without keys the offline picture."""

from collections.abc import Sequence
from typing import Protocol

import httpx2

from systems.common.web.quiet_logs import keep_queries_out_of_logs
from systems.study_notes.application.ports import ImageSearch
from systems.study_notes.domain.errors import ImageSearchError, NoImageProvider, QuotaExceeded
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.infrastructure.image_answers import candidates, json_answer

OFFLINE_PROVIDER = "offline picture"


class WebSearch(ImageSearch, Protocol):
    """One provider; `name` says which."""

    name: str


class SerpApi:
    """Google Images by SerpAPI: `GET {base_url}/search.json?engine=google_images&q&api_key`."""

    name = "serpapi"

    def __init__(self, client: httpx2.AsyncClient, base_url: str, key: str) -> None:
        self._client, self._base_url, self._key = client, base_url, key
        keep_queries_out_of_logs()  # the key is in the address

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """See the port `ImageSearch`."""
        answer = await json_answer(
            self.name,
            self._client,
            self._client.build_request(
                "GET",
                f"{self._base_url}/search.json",
                params={"engine": "google_images", "q": query, "api_key": self._key},
            ),
        )
        return candidates(self.name, answer.get("images_results"), image_field="original")[:n]


class Serper:
    """Google Images by Serper: `POST {base_url}/images` with the key in the header `X-API-KEY`."""

    name = "serper"

    def __init__(self, client: httpx2.AsyncClient, base_url: str, key: str) -> None:
        self._client, self._base_url, self._key = client, base_url, key

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """See the port `ImageSearch`."""
        answer = await json_answer(
            self.name,
            self._client,
            self._client.build_request(
                "POST", f"{self._base_url}/images", headers={"X-API-KEY": self._key}, json={"q": query}
            ),
        )
        return candidates(self.name, answer.get("images"), image_field="imageUrl")[:n]


class FirstResult:
    """Asks providers in order until one finds something; the next is asked on no result and on any error."""

    def __init__(self, providers: Sequence[WebSearch]) -> None:
        self._providers = providers

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """See the port `ImageSearch`: an error only when no provider answered, with the reason of each."""
        errors: list[ImageSearchError] = []
        for provider in self._providers:
            try:
                found = await provider.search(query, n)
            except ImageSearchError as error:
                errors.append(error)
                continue
            if found:
                return found
        if errors and len(errors) == len(self._providers):
            raise _all_of(errors)
        return []


class OfflinePictures:
    """One candidate for every query: the picture drawn by ourselves. Its address is given by whoever stores it."""

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """See the port `ImageSearch`."""
        return [ImageCandidate(image_url="", title=query, page_url="", provider=OFFLINE_PROVIDER, offline=True)][:n]


class NoPictures:
    """Image search is switched off."""

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """Raises `NoImageProvider`, always."""
        raise NoImageProvider


def choose_search(choice: str, serpapi: SerpApi | None, serper: Serper | None) -> ImageSearch:
    """What `IMAGE_PROVIDER` means; a provider is None when it has no key.

    `auto`: SerpAPI and Serper where they have keys, else the offline picture; `none`, `offline`, `serpapi`, `serper`
    as they say. Raises ValueError when the chosen one has no key, and for any other choice.
    """
    web = {"serpapi": serpapi, "serper": serper}
    if choice == "none":
        return NoPictures()
    if choice == "auto":
        keyed = [provider for provider in web.values() if provider is not None]
        return FirstResult(keyed) if keyed else OfflinePictures()
    if choice == "offline":
        return OfflinePictures()
    if choice not in web:
        raise ValueError(f"IMAGE_PROVIDER: {choice!r} is not one of auto, none, offline, serpapi, serper")
    provider = web[choice]
    if provider is None:
        raise ValueError(f"IMAGE_PROVIDER: {choice} needs {choice.upper()}_KEY")
    return FirstResult([provider])


def _all_of(errors: Sequence[ImageSearchError]) -> ImageSearchError:
    kind = QuotaExceeded if all(isinstance(error, QuotaExceeded) for error in errors) else ImageSearchError
    waits = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    return kind("; ".join(error.reason for error in errors), retry_after_s=max(waits, default=None))
