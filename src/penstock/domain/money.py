"""Money: kept as billionths of a US dollar, shown in dollars."""

from decimal import ROUND_CEILING, Decimal, InvalidOperation

BILLION = 1_000_000_000


def dollars(billionths: int) -> Decimal:
    """Money as stored, in dollars."""
    return Decimal(billionths) / BILLION


def billionths(amount: object) -> int | None:
    """Dollars (a number, or its digits as text) as stored; None for what is no amount of money."""
    if isinstance(amount, bool) or not isinstance(amount, int | float | str | Decimal):
        return None
    try:
        # A float as it is written: 0.1 is ten cents.
        return int((Decimal(str(amount)) * BILLION).to_integral_value(ROUND_CEILING))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def shown(billionths: int) -> str:
    """For people: cents, more digits where these are all there is."""
    amount = dollars(billionths)
    if billionths == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= Decimal("0.0001") else f"${amount:.9f}".rstrip("0")
