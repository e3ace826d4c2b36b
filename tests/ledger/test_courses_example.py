"""The worked example of docs/models.md does what the page says, over the wire."""

import importlib
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock import JobState
from penstock.testing import ModelServer, run_until_idle

ROOT = Path(__file__).parents[2]
OUTLINE = {"title": "SQL", "parts": ["Tables", "Queries"]}


@pytest.fixture
async def server() -> Any:
    async with ModelServer() as opened:
        yield opened


@pytest.fixture
def courses(server: ModelServer, sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", f"sqlite:///{sqlite_path}")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    sys.modules.pop("examples.courses", None)
    return importlib.import_module("examples.courses")


async def test_a_course_is_planned_under_its_budgets_and_is_in_the_ledger(courses: Any, server: ModelServer):
    server.fail(500)  # the second provider of the chain is asked
    server.answer_json(OUTLINE, input_tokens=100, output_tokens=50)
    server.answer("A lesson.", input_tokens=200, output_tokens=400, times=2)
    async with courses.penstock as engine:
        flow = await engine.flow("course", tenant="acme")
        handle = await engine.enqueue(courses.PlanCourse(topic="SQL in a week"), tenant="acme", flow=flow)
        await run_until_idle(engine, [courses.plan_course])
        assert await handle.result(5) == ["A lesson.", "A lesson."]
        views = {view.name: view for view in await engine.budgets.list()}
        [row] = await engine.usage(by="tenant")
        assert views["each-course"].spent == 150 + 2 * 600
        assert views["each-tenant"].tenant == "acme"
        assert views["each-tenant"].spent == views["everyone"].spent == row.cost > 0
        assert (row.name, row.calls, row.failed) == ("acme", 4, 1)
        await engine.budgets.set("each-tenant", dollars=0)
        second = await engine.enqueue(courses.PlanCourse(topic="Graphs"), tenant="acme")
        await run_until_idle(engine, [courses.plan_course])
        view = await engine.get(second.id)
        assert (view.state, view.attempt) == (JobState.SCHEDULED, 0)
        why = await engine.jobs.why(second.id)
        assert "a budget keeps its model call: 'each-tenant' (tenant acme)" in why.reasons[0]
        server.answer_json({"title": "Graphs", "parts": []}, input_tokens=100, output_tokens=50)
        assert (await engine.budgets.set("each-tenant", dollars=20)).resumed == 1
        await run_until_idle(engine, [courses.plan_course])
        assert await second.result(5) == []
        [told] = await engine.events.read(stream="budgets", types=["budget.spent"])
        assert (told.subject, Decimal(told.data["amount"])) == ("each-tenant", Decimal(0))
    await courses.chain.close()


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    code = (ROOT / "examples" / "courses.py").read_text()
    shown = page.partition("## A worked example")[2].partition("```python\n")[2].partition("```")[0]
    assert shown
    pieces = [piece.strip() for piece in shown.split("\n\n\n")]
    assert all(piece in code for piece in pieces), [piece for piece in pieces if piece not in code]
