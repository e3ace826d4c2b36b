"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """The port `Clock`."""

    def now(self) -> datetime:
        """See the port."""
        return datetime.now(UTC)
