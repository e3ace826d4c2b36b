"""What a call costs, by the bundled table of genai-prices (https://github.com/pydantic/genai-prices)."""

from collections.abc import Callable
from functools import lru_cache

Cost = Callable[[str, str, int | None, int | None, int | None], int | None]
"""Provider, model, tokens sent, answered and cached -> billionths of a US dollar, as `cost_of`."""
_FREE = "offline"
"""The provider whose calls cost nothing: no provider is asked."""


def cost_of(
    provider: str, model: str, input_tokens: int | None, output_tokens: int | None, cached_tokens: int | None = None
) -> int | None:
    """Billionths of a US dollar; None when the model's price or the tokens are not known, or the table is not there."""
    if provider == _FREE:
        return 0
    if input_tokens is None or output_tokens is None:
        return None
    return _priced(provider, model, input_tokens, output_tokens, cached_tokens or 0)


@lru_cache(maxsize=4096)
def _priced(provider: str, model: str, input_tokens: int, output_tokens: int, cached_tokens: int) -> int | None:
    try:
        # An extra, and 30 ms to load: only who calls models pays for it.
        from genai_prices import Usage, calc_price  # noqa: PLC0415
    except ImportError:
        return None
    used = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens)
    for provider_id in (provider, None):
        try:
            price = calc_price(used, model, provider_id=provider_id).total_price
        except LookupError:
            continue
        return round(price * 1_000_000_000)
    return None
