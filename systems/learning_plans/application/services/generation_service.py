"""Asks a model for a plan and fits it to the learner's time."""

import time
from dataclasses import dataclass
from typing import Any

from penstock.ai import AdaptiveTimeout, ModelAnswer, ModelFailure
from systems.learning_plans.application.generation import (
    DETAILS,
    UNEXPECTED,
    AttemptReport,
    GenerationContext,
    GenerationFailure,
    GenerationInput,
    GenerationSuccess,
)
from systems.learning_plans.application.plan_prompt import PlanPrompt, plan_prompt
from systems.learning_plans.application.ports import DeadlineClock, GenerationProvider
from systems.learning_plans.domain.classification import Causes, FailureClass, Verdict, classify
from systems.learning_plans.domain.effort import normalize_effort
from systems.learning_plans.domain.entities import ModuleDraft, Wishes
from systems.learning_plans.domain.errors import AnswerRefused
from systems.learning_plans.domain.pacing import pace_plan
from systems.learning_plans.domain.parsing import parse_plan
from systems.learning_plans.domain.streaming import ModuleWatch

_SENTENCES = {
    FailureClass.TIMEOUT: "the plan was not made in time",
    FailureClass.RATE_LIMIT: "too much is asked of the model just now",
    FailureClass.PROVIDER_ERROR: "the model could not make a plan",
    FailureClass.VALIDATION: "the model's answer is no plan",
    FailureClass.UNKNOWN: UNEXPECTED,
}


@dataclass(frozen=True, slots=True)
class GenerationRules:
    """The three `AI_TIMEOUT_*` settings in ms, and how many AI runs one cycle may have."""

    base_ms: int = 30_000
    extension_ms: int = 15_000
    threshold_ms: int = 25_000
    attempt_cap: int = 3


class GenerationService:
    """`clock` is that of the deadline (default: a steady one)."""

    def __init__(
        self, provider: GenerationProvider, rules: GenerationRules | None = None, clock: DeadlineClock | None = None
    ) -> None:
        self._provider = provider
        self._rules = rules or GenerationRules()
        self._clock = clock

    async def generate_plan(
        self, input: GenerationInput, context: GenerationContext
    ) -> GenerationSuccess | GenerationFailure:
        """The plan, or why there is none. Never raises for expected trouble; cancellation passes through."""
        asked = plan_prompt(input.plan_id, input.user_id, input.wishes)
        run = _Run(asked)
        if context.attempts_before >= self._rules.attempt_cap:
            message = f"{context.attempts_before} attempts were made to make this plan, which is all that are allowed"
            return run.failure(classify(Causes(forced=FailureClass.CAPPED)), message)
        rules = self._rules
        deadline = AdaptiveTimeout(rules.base_ms, rules.extension_ms, rules.threshold_ms, clock=self._clock)
        try:
            outcome = await run_generation_attempt(self._provider, asked, deadline, context)
            if isinstance(outcome, ModelFailure):
                return _failed(run, deadline, outcome)
            return _taken(run, deadline, outcome, input.wishes, context)
        except AnswerRefused as refusal:
            return _refused(run, deadline, refusal)
        finally:
            deadline.cancel()


async def run_generation_attempt(
    provider: GenerationProvider, asked: PlanPrompt, deadline: AdaptiveTimeout, context: GenerationContext
) -> ModelAnswer | ModelFailure:
    """Ask, watch the answer while it streams, and move the deadline when its first module shows in time."""
    watch, told = ModuleWatch(), 0

    def on_call(_: object) -> None:
        nonlocal watch
        watch = ModuleWatch()

    def on_text(piece: str) -> None:
        nonlocal told
        watch.feed(piece)
        if watch.has_begun:
            deadline.notify_first_module()
        # Another provider begins anew; what was told before is not told again.
        for title in watch.titles[told:]:
            told += 1
            context.on_module(told, title)

    return await provider.ask(asked.request, deadline=deadline, on_text=on_text, on_call=on_call)


def _taken(
    run: "_Run", deadline: AdaptiveTimeout, answer: ModelAnswer, wishes: Wishes, context: GenerationContext
) -> GenerationSuccess:
    run.timed(deadline)
    run.details["provider"] = {"name": answer.provider, "model": answer.model, "offline": answer.offline}
    parsed = parse_plan(answer.text)
    normal, moved = normalize_effort(parsed.modules)
    paced = pace_plan(normal, wishes, context.today)
    run.details["normalization"] = {"moved": moved, "truncated": parsed.truncated, "paced": paced != normal}
    report = run.report(paced, moved=moved)
    return GenerationSuccess(paced, answer.provider, answer.model, answer.offline, report)


def _failed(run: "_Run", deadline: AdaptiveTimeout, failure: ModelFailure) -> GenerationFailure:
    run.timed(deadline)
    run.details["provider"] = {"name": failure.provider, "model": failure.model}
    verdict = classify(Causes(timed_out=deadline.timed_out, provider=failure.kind))
    sentence = _SENTENCES[verdict.classification]
    return run.failure(verdict, f"{sentence}: {failure.message}", failure.retry_after_s)


def _refused(run: "_Run", deadline: AdaptiveTimeout, refusal: AnswerRefused) -> GenerationFailure:
    verdict = classify(Causes(timed_out=deadline.timed_out, parser=refusal.classification))
    return run.failure(verdict, f"{_SENTENCES[verdict.classification]}: {refusal.reason}")


class _Run:
    """What is noted of one AI run on its way."""

    def __init__(self, asked: PlanPrompt) -> None:
        self._asked = asked
        self._began = time.monotonic()
        self.details: dict[str, Any] = {
            **dict.fromkeys(DETAILS),
            "input_truncation": {"topic": asked.truncated_topic, "notes": asked.truncated_notes},
            "extended_timeout": False,
        }

    def timed(self, deadline: AdaptiveTimeout) -> None:
        self.details["timing"] = {"elapsed_ms": round(deadline.elapsed()), "timed_out": deadline.timed_out}
        self.details["extended_timeout"] = deadline.did_extend

    def report(self, modules: tuple[ModuleDraft, ...] = (), *, moved: bool = False) -> AttemptReport:
        return AttemptReport(
            duration_ms=round((time.monotonic() - self._began) * 1_000),
            modules_count=len(modules),
            tasks_count=sum(len(module.tasks) for module in modules),
            truncated_topic=self._asked.truncated_topic,
            truncated_notes=self._asked.truncated_notes,
            normalized_effort=moved,
            prompt_hash=self._asked.prompt_hash,
            details=self.details,
        )

    def failure(self, verdict: Verdict, message: str, retry_after_s: float | None = None) -> GenerationFailure:
        found = verdict.classification
        self.details["failure"] = {"classification": found.value, "retryable": verdict.retryable, "message": message}
        return GenerationFailure(found, verdict.retryable, message, self.report(), retry_after_s)
