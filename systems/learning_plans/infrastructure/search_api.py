"""GETs of JSON objects from a search service, whatever it answers."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext

import httpx2

from systems.common.web.bounded import ASKS_FOR_JSON, Unreadable, body_of, json_object, says_json
from systems.common.web.quiet_logs import keep_queries_out_of_logs
from systems.common.web.retry_after import retry_after_s
from systems.learning_plans.application.curation_ports import SearchFailed, Waiting
from systems.learning_plans.infrastructure.answer_cache import AnswerCache
from systems.learning_plans.infrastructure.google_limiter import GoogleLimiter

# Bounds one request, body included.
TIMEOUT_S = 10.0
MAX_BYTES = 2_000_000
REPEATS = 5
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 32.0
JITTER = 0.3
_REPEATED = frozenset({429, 500, 503})
_MAX_REASON_CHARS = 200

_RNG = random.Random()  # noqa: S311 - jitter of repeats, no secret


class _Passing(Exception):
    """Trouble that may be over soon; `wait_s` is what the service asks for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def delays(jitter: Callable[[], float] = _RNG.random) -> Iterator[float]:
    """Seconds before each repeat: 1, 2, 4 … 32, each longer by up to 30 % (`jitter` gives 0 to 1)."""
    for repeat in range(REPEATS):
        yield min(MAX_DELAY_S, FIRST_DELAY_S * 2**repeat) * (1 + JITTER * jitter())


class SearchApi:
    """One service below `base_url`. `secrets` are the parameters that no log, error or cache may show.

    Answers are cached; 429, 500, 503 and network trouble are repeated; each call takes its turn at `limiter`. No
    redirect is followed: an interface that sends its clients elsewhere is not the one that was configured.
    """

    def __init__(
        self,
        name: str,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        secrets: Mapping[str, str] | None = None,
        limiter: GoogleLimiter | None = None,
        cache: AnswerCache | None = None,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name, self._client, self._base_url = name, client, base_url
        self._secrets = dict(secrets or {})
        self._limiter = limiter
        self._cache = cache or AnswerCache()
        self._timeout_s = timeout_s
        self._sleep = sleep
        keep_queries_out_of_logs()  # keys are in the address

    async def get(self, path: str, params: Mapping[str, str], waiting: Waiting) -> Mapping[str, object]:
        """The JSON object at `path`. Raises `SearchFailed`."""
        key = (path, *sorted(params.items()))
        answer = self._cache.get(key)
        if answer is None:
            answer = await self._repeated(path, params, waiting)
            self._cache.put(key, answer)
        return answer

    async def _repeated(self, path: str, params: Mapping[str, str], waiting: Waiting) -> Mapping[str, object]:
        for delay in delays():
            try:
                return await self._ask(path, params, waiting)
            except _Passing as trouble:
                if trouble.wait_s > MAX_DELAY_S:
                    raise SearchFailed(f"{trouble}, and asks to be left alone for {trouble.wait_s:.0f} s") from trouble
                await self._sleep(max(delay, trouble.wait_s))
        try:
            return await self._ask(path, params, waiting)
        except _Passing as trouble:
            raise SearchFailed(f"{trouble}, {REPEATS + 1} times") from trouble

    async def _ask(self, path: str, params: Mapping[str, str], waiting: Waiting) -> Mapping[str, object]:
        async with self._turn(waiting):
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._read(path, params)
            except (TimeoutError, httpx2.TimeoutException) as error:
                raise _Passing(f"{self._name} did not answer in time") from error
            except httpx2.HTTPError as error:
                raise _Passing(f"{self._name} cannot be reached ({type(error).__name__})") from error

    def _turn(self, waiting: Waiting) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._limiter is None else self._limiter.turn(waiting)

    async def _read(self, path: str, params: Mapping[str, str]) -> Mapping[str, object]:
        request = self._client.build_request(
            "GET",
            self._base_url + path,
            params={**params, **self._secrets},
            headers=ASKS_FOR_JSON,
        )
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            body = await body_of(response, MAX_BYTES)
        except Unreadable as error:
            raise SearchFailed(f"{self._name} {error}") from error
        finally:
            await response.aclose()
        answer = json_object(body)
        if not response.is_success:
            reason = self._refusal(response.status_code, answer)
            if response.status_code in _REPEATED:
                raise _Passing(reason, retry_after_s(response) or 0.0)
            raise SearchFailed(reason)
        if answer is None or not says_json(response):
            raise SearchFailed(f"{self._name} answered something that is no JSON object")
        return answer

    def _refusal(self, status: int, answer: Mapping[str, object] | None) -> str:
        message = _message(answer)
        for secret in self._secrets.values():
            message = message.replace(secret, "…")
        return f"{self._name} answered {status}{': ' if message else ''}{message}"


def _message(answer: Mapping[str, object] | None) -> str:
    """What Google says in `error.message`."""
    error = answer.get("error") if answer else None
    message = error.get("message") if isinstance(error, dict) else None
    return " ".join(message.split())[:_MAX_REASON_CHARS] if isinstance(message, str) else ""
