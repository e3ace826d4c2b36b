"""The one memory of whether the store is away, so that all parts of a worker log an outage once."""

import time
from threading import Lock

from penstock.worker.logs import get_logger

logger = get_logger(__name__)


class Outage:
    """Told by whoever writes to the store how it went; from any thread."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._lock = Lock()
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last thing heard was that the store is away."""
        return self._since is not None

    def began(self, error: Exception) -> None:
        """A write met StoreUnavailable."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
                logger.warning("the store cannot be reached; trying again", worker=self._worker, reason=str(error))

    def over(self) -> None:
        """A write succeeded."""
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            away = round(time.monotonic() - since, 3)
            logger.info("the store is back", worker=self._worker, seconds=away)
