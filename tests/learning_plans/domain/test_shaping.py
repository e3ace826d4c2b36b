"""Reading and shaping plans: pure functions."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.classification import Causes, FailureClass, classify
from systems.learning_plans.domain.effort import normalize_effort
from systems.learning_plans.domain.entities import (
    LearningStyle,
    Module,
    ModuleDraft,
    SkillLevel,
    Task,
    TaskDraft,
    Wishes,
)
from systems.learning_plans.domain.errors import AnswerRefused
from systems.learning_plans.domain.keeping import kept_tasks, plain
from systems.learning_plans.domain.numbering import numbered
from systems.learning_plans.domain.pacing import capacity_of, pace_plan, weeks_of
from systems.learning_plans.domain.parsing import MAX_CHARS, parse_plan
from systems.learning_plans.domain.streaming import ModuleWatch

TASK = {"title": "t", "description": "d", "estimated_minutes": 30}
MODULE = {"title": "m", "description": "d", "estimated_minutes": 60, "tasks": [TASK]}
TODAY = date(2026, 3, 2)


def text(*modules: Any) -> str:
    return json.dumps({"modules": list(modules)})


def drafts(*counts: int) -> tuple[ModuleDraft, ...]:
    return tuple(
        ModuleDraft(f"m{m}", "", 60, tuple(TaskDraft(f"t{m}.{t}", "", 30) for t in range(count)))
        for m, count in enumerate(counts)
    )


def wishes(hours: int = 5, level: str = "intermediate", **dates: date) -> Wishes:
    return Wishes("Topic", None, SkillLevel(level), hours, LearningStyle.MIXED, **dates)


@pytest.mark.parametrize(
    "wrapped",
    [
        text(MODULE),
        f"```json\n{text(MODULE)}\n```",
        f"```\n{text(MODULE)}```",
        f"Here it is:\n```JSON\n{text(MODULE)}\n```\nEnjoy!",
        f"```json\n{text(MODULE)}",
    ],
)
def test_lp_12_code_fences_are_stripped(wrapped: str) -> None:
    assert parse_plan(wrapped).modules == (ModuleDraft("m", "d", 60, (TaskDraft("t", "d", 30),)),)


@pytest.mark.parametrize("answer", ["", "  \n", "```json\n```", "no JSON", "{", "[1,", '{"modules": [}', "[" * 100_000])
def test_lp_12_what_is_no_json_is_the_providers_fault(answer: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        parse_plan(answer)
    assert refused.value.classification is FailureClass.PROVIDER_ERROR


@pytest.mark.parametrize(
    "answer",
    [
        "[]", "7", "null", "{}", text(), '{"modules": {}}', '{"modules": "m"}', text(7), text({**MODULE, "tasks": []}),
        text({**MODULE, "tasks": None}), text({**MODULE, "tasks": ["t"]}), text({**MODULE, "title": " "}),
        text({**MODULE, "title": 5}), text({**MODULE, "tasks": [{**TASK, "title": "\x00"}]}),
        text({**MODULE, "estimated_minutes": "60"}), text({**MODULE, "estimated_minutes": True}),
        text({**MODULE, "estimated_minutes": None}), text({"title": "m", "tasks": [TASK]}),
        text({**MODULE, "description": ["d"]}), '{"modules": [{"title": "m", "estimated_minutes": NaN, "tasks": [1]}]}',
        text({**MODULE, "tasks": [{**TASK, "estimated_minutes": float("inf")}]}), text(MODULE) + " " * MAX_CHARS,
    ],
)  # fmt: skip
def test_lp_12_what_is_no_plan_is_refused(answer: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        parse_plan(answer)
    assert refused.value.classification is FailureClass.VALIDATION


def test_other_names_of_fields_are_taken() -> None:
    task = {"task": "T", "summary": "S", "estimatedMinutes": 12.5}
    found = parse_plan(text({"title": "M", "summary": "about", "estimatedMinutes": 1e300, "tasks": [task]}))
    assert found.modules == (ModuleDraft("M", "about", 10**9, (TaskDraft("T", "S", 12),)),)
    assert not found.truncated


def test_what_is_too_much_is_left_out_and_flagged() -> None:
    many = {**MODULE, "tasks": [TASK] * 21}
    found = parse_plan(text(many, *[MODULE] * 12))
    assert (len(found.modules), len(found.modules[0].tasks), found.truncated) == (12, 20, True)
    long = parse_plan(text({**MODULE, "title": "x" * 501}))
    assert (len(long.modules[0].title), long.truncated) == (500, True)
    assert not parse_plan(text(*[MODULE] * 12)).truncated


@pytest.mark.parametrize(
    ("module", "task", "found", "moved"),
    [(1, 1, (15, 5), True), (999, 999, (480, 120), True), (15, 5, (15, 5), False), (480, 120, (480, 120), False)],
)
def test_lp_12_minutes_are_clamped(module: int, task: int, found: tuple[int, int], moved: bool) -> None:
    [normal], flag = normalize_effort([ModuleDraft("m", "", module, (TaskDraft("t", "", task),))])
    assert ((normal.estimated_minutes, normal.tasks[0].estimated_minutes), flag) == (found, moved)


@pytest.mark.parametrize(
    ("deadline", "start", "weeks"),
    [
        (date(2026, 3, 16), None, 2), (date(2026, 3, 17), None, 3), (date(2026, 3, 3), None, 1),
        (date(2020, 1, 1), None, 1), (date(2026, 3, 2), None, 1), (date(2026, 3, 20), date(2026, 3, 10), 2),
    ],
)  # fmt: skip
def test_weeks_run_from_the_start_to_the_deadline(deadline: date, start: date | None, weeks: int) -> None:
    wished = replace(wishes(), deadline_date=deadline, start_date=start)
    assert weeks_of(wished, TODAY) == weeks


@pytest.mark.parametrize(("level", "capacity"), [("beginner", 5), ("intermediate", 6), ("advanced", 8)])
def test_capacity_follows_the_level(level: str, capacity: int) -> None:
    assert capacity_of(wishes(5, level, deadline_date=date(2026, 3, 9)), TODAY) == capacity


@pytest.mark.parametrize(
    ("hours", "counts", "kept"),
    [
        (5, (4, 4, 4), [4, 1, 1]), (9, (4, 4, 4), [4, 4, 4]), (3, (4, 4, 4), [2, 1, 1]), (2, (4, 4, 4), [1, 1]),
        (1, (4, 4, 4), [1]), (0, (4, 4, 4), [1, 1, 1]), (5, (1, 1, 5), [1, 1, 4]),
    ],
)  # fmt: skip
def test_pacing_keeps_the_first_tasks_and_fills_up_in_order(
    hours: int, counts: tuple[int, ...], kept: list[int]
) -> None:
    found = pace_plan(drafts(*counts), wishes(hours, deadline_date=date(2026, 3, 9)), TODAY)
    assert [len(module.tasks) for module in found] == kept
    assert all(
        module.tasks == full.tasks[: len(module.tasks)] for module, full in zip(found, drafts(*counts), strict=False)
    )


def test_lp_14_without_a_deadline_all_tasks_stay() -> None:
    assert pace_plan(drafts(9, 9), wishes(0), TODAY) == drafts(9, 9)


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=8), st.integers(0, 80), st.integers(-30, 90),
    st.sampled_from(SkillLevel),
)  # fmt: skip
def test_pacing_never_exceeds_the_capacity_but_for_one_task_a_module(
    counts: list[int], hours: int, days: int, level: SkillLevel
) -> None:
    wished = wishes(hours, level, deadline_date=date.fromordinal(TODAY.toordinal() + days))
    capacity = capacity_of(wished, TODAY) or 0
    found = pace_plan(drafts(*counts), wished, TODAY)
    tasks = sum(len(module.tasks) for module in found)
    assert all(module.tasks for module in found)
    assert tasks == min(sum(counts), capacity) if capacity else tasks == len(counts)


def stored(*modules: tuple[str, ...]) -> tuple[Module, ...]:
    return tuple(
        Module(f"m{n}", n, title, "", 30, tuple(Task(task, at, task, "", 10) for at, task in enumerate(tasks, 1)))
        for n, (title, *tasks) in enumerate(modules, 1)
    )


def proposed(*modules: tuple[str, ...]) -> tuple[ModuleDraft, ...]:
    return tuple(
        ModuleDraft(title, "", 30, tuple(TaskDraft(task, "", 10) for task in tasks)) for title, *tasks in modules
    )


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ([("A", "One")], [("a!", "  ONE. ")], {(0, 0): "One"}),
        ([("A", "One"), ("B", "Two")], [("C", "Two", "One")], {(0, 0): "Two", (0, 1): "One"}),
        ([("A", "One"), ("B", "One")], [("C", "One")], {}),
        ([("A", "One")], [("B", "One", "One")], {}),
        ([("A", "One", "One")], [("A", "One", "One", "One")], {(0, 0): "One"}),
        ([("A", "C++")], [("A", "C")], {(0, 0): "C++"}),
        ([("A", "Ⅷ")], [("A", "VIII")], {(0, 0): "Ⅷ"}),
        ([], [("A", "One")], {}),
    ],
)
def test_lp_13_tasks_are_known_again_by_their_titles(old: Any, new: Any, kept: Any) -> None:
    assert kept_tasks(stored(*old), proposed(*new)) == kept


def test_titles_of_signs_alone_are_told_apart() -> None:
    assert plain("???") != plain("!!!")


def test_numbers_are_the_same_for_the_same_job() -> None:
    job = "01a22d90-0000-7000-8000-000000000000"
    one, other = numbered(job, drafts(2, 1), {(1, 0): "old"}), numbered(job, drafts(2, 1), {(1, 0): "old"})
    assert one == other
    assert one[1].tasks[0].id == "old"
    ids = {module.id for module in one} | {task.id for module in one for task in module.tasks}
    assert len(ids) == 5
    assert [(module.order, [task.order for task in module.tasks]) for module in one] == [(1, [1, 2]), (2, [1])]


@given(st.integers(1, 40))
def test_modules_show_however_the_answer_is_cut(size: int) -> None:
    modules = [{**MODULE, "title": f'M "{n}" \\ ü', "tasks": [{**TASK, "title": "no module"}]} for n in range(3)]
    whole = json.dumps({"note": '"modules": [', "modules": modules, "title": "not this"})
    watch, seen = ModuleWatch(), []
    for at in range(0, len(whole), size):
        seen += watch.feed(whole[at : at + size])
    # The text itself may hold what looks like a beginning; then nothing is told, and the deadline moves at most early.
    assert seen in ([f'M "{n}" \\ ü' for n in range(3)], [])


@pytest.mark.parametrize(
    ("answer", "begun"),
    [
        ('{"modules": [', True),
        ('{"modules"  :\n  {', True),
        ('{"modules": "', False),
        ('{"module": [', False),
        ("", False),
    ],
)
def test_the_first_module_shows_when_its_list_is_opened(answer: str, begun: bool) -> None:
    watch = ModuleWatch()
    for sign in answer:
        watch.feed(sign)
    assert watch.has_begun is begun


@pytest.mark.parametrize(
    ("causes", "classification", "retryable"),
    [
        (Causes(forced=FailureClass.CAPPED, timed_out=True), "capped", False),
        (Causes(timed_out=True, provider="rate_limit"), "timeout", True),
        (Causes(provider="rate_limit", parser=FailureClass.VALIDATION), "rate_limit", True),
        (Causes(parser=FailureClass.VALIDATION, provider="provider_error"), "validation", False),
        (Causes(parser=FailureClass.PROVIDER_ERROR), "provider_error", True),
        (Causes(provider="auth"), "provider_error", False),
        (Causes(provider="content_filter"), "provider_error", False),
        (Causes(provider="context_too_long"), "provider_error", False),
        (Causes(provider="provider_error"), "provider_error", True),
        (Causes(provider="validation"), "provider_error", True),
        (Causes(provider="capped"), "provider_error", True),
        (Causes(provider="unknown"), "unknown", True),
        (Causes(), "unknown", True),
    ],
)
def test_of_several_causes_the_first_in_the_order_counts(causes: Causes, classification: str, retryable: bool) -> None:
    verdict = classify(causes)
    assert (verdict.classification, verdict.retryable) == (classification, retryable)
