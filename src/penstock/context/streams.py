"""`Stream`: what a handler writes while it works, kept until the worker has it written."""

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from penstock.domain.streams import MAX_CHARS, StreamWrite


class Mask(Protocol):
    """Hides secrets in a text that comes in pieces."""

    def feed(self, text: str) -> str:
        """What of the text so far is clean for certain; the rest is held back."""
        ...

    def rest(self) -> str:
        """What is held back, cleaned as the end of the text."""
        ...


class RunKey(NamedTuple):
    """Whose stream it is."""

    job_id: str
    claim_id: int
    attempt: int


class Stream:
    """Partial output of a run, under a name. Made by `Job.stream`; it may be used from any thread.

    `on_news` is told when there is something to be written; `mask()` makes what cleans one text, None: it needs none.
    """

    def __init__(
        self, run: RunKey, name: str, on_news: Callable[["Stream"], None], mask: Callable[[], Mask | None]
    ) -> None:
        self.run = run
        self.name = name
        self._on_news = on_news
        self._new_mask = mask
        self._mask = mask()
        self._lock = threading.Lock()
        self._part = 0
        self._start = 0
        self._texts: list[str] = []
        self._length = 0
        self._is_cut = self._has_told_cut = False
        self._is_to_restart = self._is_over = self._is_noted = False

    def write(self, text: str) -> None:
        """Add text. Cheap: it is written a few times a second, together with that of other runs.

        A stream keeps its first 1,000,000 characters (`penstock.domain.streams.MAX_CHARS`); the rest is left out, and
        readers are told. What a run writes that no longer holds its job, or is to stop, is refused and left out, too.
        Raises TypeError for what is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"a stream takes text (str), not {type(text).__name__}")
        with self._lock:
            if not text or self._is_over:
                return
            if self._is_to_restart:
                self._begin_anew()
            self._add(text if self._mask is None else self._mask.feed(text))
            is_news = not self._is_noted and self._has_news
            self._is_noted = self._is_noted or is_news
        if is_news:
            self._on_news(self)

    def restart(self, _told: object = None, /) -> None:
        """What is written next begins the stream anew: readers are told, and read from its beginning.

        Until then they see what was there. Fits `on_call` of `ModelChain.ask`.
        """
        with self._lock:
            self._is_to_restart = True

    def unwritten(self, *, last: bool = False) -> StreamWrite | None:
        """What is to be written next, all of it; it stays until `written`. `last`: with what the mask holds back."""
        with self._lock:
            self._is_noted = False
            self._texts = ["".join(self._texts)]
            text = self._texts[0]
            if last and self._mask is not None:
                text += self._mask.rest()[: MAX_CHARS - self._length]
            if not text and not self._has_news:
                return None
            return StreamWrite(*self.run, self.name, self._part, self._start, text, self._is_cut)

    def written(self, done: StreamWrite) -> None:
        """So much is in the store."""
        with self._lock:
            if done.part != self._part:
                return
            text = "".join(self._texts)[max(0, done.end - self._start) :]
            self._texts = [text] if text else []
            self._start = max(self._start, done.end)
            self._has_told_cut = self._has_told_cut or done.cut

    def end(self) -> None:
        """The run has ended: what is held back may leave, and nothing is added any more."""
        with self._lock:
            if not self._is_over and self._mask is not None:
                self._add(self._mask.rest())
            self._is_over = True
            is_news = self._has_news
        if is_news:
            self._on_news(self)

    def close(self) -> None:
        """The store has refused it, or has it all: nothing is left to be written, now or later."""
        with self._lock:
            self._is_over = self._has_told_cut = True
            self._texts = []

    @property
    def _has_news(self) -> bool:
        return any(self._texts) or (self._is_cut and not self._has_told_cut)

    def _begin_anew(self) -> None:
        self._part += 1
        self._start = self._length = 0
        self._texts = []
        self._mask = self._new_mask()
        self._is_cut = self._has_told_cut = self._is_to_restart = False

    def _add(self, text: str) -> None:
        kept = text[: MAX_CHARS - self._length]
        self._is_cut = self._is_cut or len(kept) < len(text)
        self._length += len(kept)
        if kept:
            self._texts.append(kept)
