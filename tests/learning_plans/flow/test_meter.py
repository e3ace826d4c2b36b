"""Telling whoever bills: by a job of its own, once, and never to the plan's harm."""

from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from systems.learning_plans.application.ports import MeterUnavailable
from systems.learning_plans.application.repositories import MeterEvent
from systems.learning_plans.handlers.jobs import UsageMeterPush
from systems.learning_plans.infrastructure.meter import RecordingUsageMeter
from systems.learning_plans.infrastructure.tables import UsageMeterEventRow
from tests.learning_plans.support import USER, count, finish, hasten, made, status, system, until

PATH = "/v1/billing/meter_events"
SENT = UsageMeterEventRow.sent_at.is_not(None)


async def pushes(plans: Any) -> list[Any]:
    return list(await plans.engine.jobs.find(kind="usage_meter_push"))


async def test_lp_18_a_dead_stripe_leaves_the_plan_ready_and_is_told_later_once(
    url: str, httpserver: HTTPServer
) -> None:
    answers = [500, 429, 200]
    seen: list[dict[str, list[str]]] = []

    def stripe(request: Request) -> Response:
        seen.append(parse_qs(request.get_data(as_text=True)) | {"key": [request.headers["Authorization"]]})
        return Response("{}", answers.pop(0) if answers else 200, content_type="application/json")

    httpserver.expect_request(PATH, method="POST").respond_with_handler(stripe)
    settings = {"stripe_api_key": "sk", "stripe_base_url": httpserver.url_for("").rstrip("/")}
    async with system(url, **settings) as plans:
        await plans.start()
        plan_id = await made(plans)
        assert (await status(plans, plan_id))["status"] == "ready"
        for tries in (1, 2):
            await until(partial(_failed, plans, tries))
            [push] = await pushes(plans)
            await hasten(plans, push.id)
        await until(lambda: _completed(plans))
        assert await count(plans, UsageMeterEventRow, SENT) == 1
        [push] = await pushes(plans)
        assert (push.status, push.attempt) == ("completed", 3)
        assert (await status(plans, plan_id))["status"] == "ready"
    assert len(seen) == 3
    assert {one["identifier"][0] for one in seen} == {f"plan_generated:{seen[0]['identifier'][0].partition(':')[2]}"}
    assert seen[0]["event_name"] == ["plan_generated"]
    assert seen[0]["payload[value]"] == ["1"]
    assert seen[0]["payload[stripe_customer_id]"] == [USER]
    assert seen[0]["key"] == ["Bearer sk"]


async def _failed(plans: Any, attempt: int) -> bool:
    return any(view.state == "scheduled" and view.attempt == attempt for view in await pushes(plans))


async def _completed(plans: Any) -> bool:
    return all(view.status == "completed" for view in await pushes(plans))


async def test_lp_18_an_address_where_nobody_listens_harms_nothing(sqlite_url: str) -> None:
    settings = {"stripe_api_key": "sk", "stripe_base_url": "http://127.0.0.1:1"}
    async with system(sqlite_url, **settings) as plans:
        plan_id = await made(plans)
        assert (await status(plans, plan_id))["status"] == "ready"
        [push] = await pushes(plans)
        assert (push.state, push.attempt) == ("scheduled", 1)
        assert await count(plans, UsageMeterEventRow, SENT) == 0


async def test_an_event_that_is_refused_is_not_sent_again(sqlite_url: str, httpserver: HTTPServer) -> None:
    refusal = {"error": {"message": "no such customer"}}
    httpserver.expect_request(PATH).respond_with_json(refusal, status=400)
    settings = {"stripe_api_key": "sk", "stripe_base_url": httpserver.url_for("").rstrip("/")}
    async with system(sqlite_url, **settings) as plans:
        plan_id = await made(plans)
        [push] = await pushes(plans)
        assert (push.status, push.attempt) == ("failed", 1)
        assert "no such customer" in (push.reason or "")
        assert (await status(plans, plan_id))["status"] == "ready"
    assert len(httpserver.log) == 1


class FailingMeter(RecordingUsageMeter):
    """Is away for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.away = True

    async def push(self, event: MeterEvent) -> None:
        if self.away:
            raise MeterUnavailable("away", retry_after_s=30)
        await super().push(event)


async def test_each_kind_of_making_is_billed_once(url: str) -> None:
    meter = FailingMeter()
    async with system(url, meter=meter) as plans:
        plan_id = await made(plans)
        [push] = await pushes(plans)
        error = (await plans.engine.jobs.errors(push.id))[0]
        assert push.due_at is not None
        assert (push.due_at - error.at).total_seconds() >= 29
        meter.away = False
        await hasten(plans, push.id)
        await plans.intake.regenerate(USER, plan_id, {})
        await finish(plans)
        await until(lambda: _all_sent(plans))
    assert sorted(event.event for event in meter.events.values()) == ["plan_generated", "plan_regenerated"]
    assert {event.quantity for event in meter.events.values()} == {1}


async def _all_sent(plans: Any) -> bool:
    found = await pushes(plans)
    if any(view.state == "ready" for view in found):
        await finish(plans)
    return await count(plans, UsageMeterEventRow, SENT) == 2


@pytest.mark.parametrize("gone", [True, False])
async def test_a_push_for_what_is_gone_or_told_ends_well(sqlite_url: str, gone: bool) -> None:
    meter = RecordingUsageMeter()
    async with system(sqlite_url, meter=meter) as plans:
        await made(plans)
        told = len(meter.events)
        event_id = "none" if gone else next(iter(meter.events.values())).id
        handle = await plans.engine.enqueue(UsageMeterPush(meter_event_id=event_id))
        await finish(plans)
        assert (await plans.engine.get(handle.id)).status == "completed"
        assert len(meter.events) == told
