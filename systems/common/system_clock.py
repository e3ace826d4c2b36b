"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """Implements the port `Clock` that each system declares."""

    def now(self) -> datetime:
        """The present time, aware (UTC)."""
        return datetime.now(UTC)
