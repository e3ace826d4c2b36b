"""What may be done for one request when a call of a provider fails."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from penstock.ai.errors import KINDS, ModelErrorKind

FALL_BACK_ON: AbstractSet[ModelErrorKind] = KINDS - {"capped"}


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How far to go for an answer.

    tries: the most real calls for one request, all providers, retries and the re-ask counted. repair: mend an answer
    that is nearly right before calling it wrong. reask: ask once more, showing what is wrong, when it cannot be mended.
    retries: how often a provider that was busy or out of reach is called again before the next one. retry_delay_s: the
    random pause before that, from and to (seconds); a provider that wants a longer one is not called again.
    fall_back_on: the kinds of failure after which the next provider is asked. Raises ValueError naming the field.
    """

    tries: int = 3
    repair: bool = True
    reask: bool = True
    retries: int = 0
    retry_delay_s: tuple[float, float] = (0.3, 0.7)
    fall_back_on: AbstractSet[ModelErrorKind] = FALL_BACK_ON

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries: must be at least 1, not {self.tries!r}")
        if self.retries < 0:
            raise ValueError(f"retries: must not be negative, not {self.retries!r}")
        if not 0 <= self.retry_delay_s[0] <= self.retry_delay_s[1]:
            raise ValueError(f"retry_delay_s: must be from and to, in seconds, not {self.retry_delay_s!r}")
        if unknown := self.fall_back_on - KINDS:
            raise ValueError(f"fall_back_on: {sorted(unknown)[0]!r} is no kind of failure; they are {sorted(KINDS)}")


DEFAULT_POLICY = CallPolicy()
