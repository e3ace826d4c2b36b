"""Answers that may be used again for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

TTL_S = 300.0
MAX_ANSWERS = 256

Answer = Mapping[str, object]


class AnswerCache:
    """Keeps the last `size` answers for `ttl_s` seconds each."""

    def __init__(
        self, *, ttl_s: float = TTL_S, size: int = MAX_ANSWERS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._monotonic = monotonic
        self._answers: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()

    def get(self, key: Hashable) -> Answer | None:
        """The answer kept under a key, None when there is none that is fresh."""
        until, answer = self._answers.get(key, (0.0, None))
        return answer if answer is not None and self._monotonic() < until else None

    def put(self, key: Hashable, answer: Answer) -> None:
        """Keep an answer from now on."""
        self._answers.pop(key, None)
        self._answers[key] = (self._monotonic() + self._ttl_s, answer)
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)
