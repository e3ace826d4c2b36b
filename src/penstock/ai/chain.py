"""A chain of providers: one request, as many real calls as its policy allows, one answer or one failure."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

from penstock.ai.answers import NO_USAGE, ModelAnswer, ModelFailure
from penstock.ai.calling import Caller
from penstock.ai.deadline import AdaptiveTimeout
from penstock.ai.gate import Gate, OpenGate, Purpose
from penstock.ai.output import Unusable, read
from penstock.ai.policy import DEFAULT_POLICY, CallPolicy
from penstock.ai.port import OnCall, OnText, Provider
from penstock.ai.reask import asked_again
from penstock.ai.request import AnyRequest, ModelRequest, Output

_RNG = random.Random()  # noqa: S311 - jitter of retries, no secret


class ModelChain:
    """Asks a primary provider and, where that fails, others. `gate` stands around each real call.

    Raises ValueError when `providers` is empty. `close()` it when done.
    """

    def __init__(
        self, providers: Sequence[Provider], *, policy: CallPolicy = DEFAULT_POLICY, gate: Gate | None = None
    ) -> None:
        if not providers:
            raise ValueError("providers: a chain needs at least one")
        self.providers = tuple(providers)
        self._policy = policy
        self._gate: Gate = gate or OpenGate()

    async def ask(
        self,
        request: ModelRequest[Output],
        *,
        policy: CallPolicy | None = None,
        deadline: AdaptiveTimeout | None = None,
        on_text: OnText | None = None,
        on_call: OnCall | None = None,
    ) -> ModelAnswer[Output] | ModelFailure:
        """The answer, read into the type that was asked for, or why there is none; with every call that was made.

        policy: instead of the chain's. deadline: of all calls and waits together; what comes after it is not taken.
        on_text: told each piece of an answer while it streams. on_call: told before each real call; what is streamed
        then begins anew. Raises only what the gate and these two raise. Cancellation passes through at once, also when
        the provider does not listen to it.
        """
        caller = Caller(self._gate, deadline, on_text, on_call)
        asking = _Asking(self.providers, request, policy or self._policy, caller)
        try:
            outcome = await asking.outcome()
        except TimeoutError:
            if not caller.is_late:
                raise
            outcome = _late(caller)
        return replace(outcome, tries=tuple(caller.tries))

    async def close(self) -> None:
        """Close the connections of its providers."""
        for provider in self.providers:
            await provider.close()


class _Asking(Generic[Output]):
    """One request on its way through a chain."""

    def __init__(
        self, providers: Sequence[Provider], request: ModelRequest[Output], policy: CallPolicy, caller: Caller
    ) -> None:
        self._providers = providers
        self._request = request
        self._policy = policy
        self._caller = caller
        self._may_reask = policy.reask

    async def outcome(self) -> ModelAnswer[Output] | ModelFailure:
        """Provider after provider, until one has answered or no other may be asked."""
        first, *others = self._providers
        outcome = await self._asked(first, "ask")
        for provider in others:
            if isinstance(outcome, ModelAnswer) or outcome.kind not in self._policy.fall_back_on:
                break
            if self._is_spent:
                return self._capped(outcome)
            outcome = await self._asked(provider, "fallback")
        return outcome

    async def _asked(self, provider: Provider, purpose: Purpose) -> ModelAnswer[Output] | ModelFailure:
        """One provider: the call, its retries, and the re-ask."""
        request: AnyRequest = self._request
        retries = self._policy.retries
        while True:
            outcome = await self._caller.call(provider, request, purpose)
            if isinstance(outcome, ModelAnswer):
                try:
                    return self._taken(outcome)
                except Unusable as problem:
                    failure, reason = self._refused(outcome, problem), problem.reason
                if not self._is_to_reask(outcome):
                    return failure
                self._may_reask = False
                request, purpose = asked_again(self._request, outcome.text, reason), "reask"
                continue
            if not retries or not self._is_worth_a_retry(outcome):
                return outcome
            if self._is_spent:
                return self._capped(outcome)
            retries, purpose = retries - 1, "retry"
            async with self._caller.bounded():
                await asyncio.sleep(_RNG.uniform(*self._policy.retry_delay_s))

    def _taken(self, answer: ModelAnswer[str]) -> ModelAnswer[Output]:
        """The answer with its value. Raises Unusable."""
        text, value = read(self._request, answer.text, repair=self._policy.repair)
        return ModelAnswer(
            text=text,
            value=value,
            provider=answer.provider,
            model=answer.model,
            offline=answer.offline,
            usage=answer.usage,
            finish_reason=answer.finish_reason,
            limits=answer.limits,
        )

    def _refused(self, answer: ModelAnswer[str], problem: Unusable) -> ModelFailure:
        """The failure that an answer is which cannot be used; its try counts as failed."""
        tries = self._caller.tries
        tries[-1] = replace(tries[-1], kind=problem.kind)
        reason = problem.reason
        if answer.finish_reason == "length":
            reason = f"the answer was cut off at its limit of tokens, raise max_output_tokens: {reason}"
        return ModelFailure(
            problem.kind,
            f"{answer.provider} ({answer.model}): {reason}",
            # What cannot be read may come out right another time; what does not fit was understood otherwise.
            retryable=problem.kind == "provider_error",
            provider=answer.provider,
            model=answer.model,
            usage=answer.usage,
            limits=answer.limits,
        )

    def _is_to_reask(self, answer: ModelAnswer[str]) -> bool:
        # One that was cut off would be so again; a blank one shows nothing.
        shows_something = answer.finish_reason != "length" and bool(answer.text.strip())
        return self._may_reask and shows_something and not self._is_spent

    def _is_worth_a_retry(self, failure: ModelFailure) -> bool:
        busy = failure.retryable and failure.kind in ("provider_error", "rate_limit")
        return busy and (failure.retry_after_s or 0) <= self._policy.retry_delay_s[1]

    @property
    def _is_spent(self) -> bool:
        return len(self._caller.tries) >= self._policy.tries

    def _capped(self, last: ModelFailure) -> ModelFailure:
        message = f"no more than {self._policy.tries} calls are made for one request; the last failed: {last.message}"
        return replace(last, kind="capped", message=message)


def _late(caller: Caller) -> ModelFailure:
    """The failure of a request whose deadline has passed."""
    message = "the deadline passed before there was an answer"
    if not caller.tries:
        return ModelFailure("timeout", message, retryable=True, usage=NO_USAGE)
    last = caller.tries[-1]
    return ModelFailure("timeout", message, retryable=True, provider=last.provider, model=last.model, usage=last.usage)
