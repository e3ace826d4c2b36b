"""Money: kept as billionths of a US dollar, shown in dollars."""

from decimal import Decimal

BILLION = 1_000_000_000


def dollars(billionths: int) -> Decimal:
    """Money as stored, in dollars."""
    return Decimal(billionths) / BILLION
