"""Meter events over the wire, to a stub that speaks Stripe's and misbehaves as asked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from penstock import ConfigurationError, codec
from penstock.ledger import Delivery, Later, MeteredCall, Refused, StripeMeter, Taken
from tests.support.stripe_stub import KEY, StripeStub, cut, lost_answer, status

CUSTOMERS = {"acme": "cus_acme", "bolt": "cus_bolt"}


@pytest.fixture
def stub(httpserver: HTTPServer) -> StripeStub:
    return StripeStub(httpserver)


def meter_to(stub: StripeStub, **options: Any) -> StripeMeter:
    options = {"event_name": "model_tokens", "customer": CUSTOMERS, "base_url": stub.url} | options
    return StripeMeter(options.pop("api_key", KEY), **options)


@pytest.fixture
async def meter(stub: StripeStub) -> AsyncIterator[StripeMeter]:
    made = meter_to(stub)
    yield made
    await made.close()


def call(tenant: str | None = "acme", *, cost: str | None = "0.0025", **more: Any) -> MeteredCall:
    now = datetime.now(UTC)
    return MeteredCall(
        codec.new_id(), "openai", "gpt-4o-mini", "answered", now, more.pop("closed_at", now), 100, 23, 0,
        None if cost is None else Decimal(cost), tenant, **more,
    )  # fmt: skip


async def one(meter: StripeMeter, sent: MeteredCall) -> Delivery:
    [answer] = await meter.send([sent])
    return answer


async def test_an_event_is_what_stripe_expects(stub: StripeStub, meter: StripeMeter):
    sent = call()
    assert await one(meter, sent) == Taken()
    assert stub.counted[sent.id] == {
        "event_name": "model_tokens",
        "payload[stripe_customer_id]": "cus_acme",
        "payload[value]": "123",
        "identifier": sent.id,
        "timestamp": str(int(sent.closed_at.timestamp())),
    }
    [(request, _)] = stub.server.log
    assert request.content_type == "application/x-www-form-urlencoded"


async def test_a_batch_is_sent_side_by_side_but_one_customers_events_in_turn(stub: StripeStub, meter: StripeMeter):
    calls = [call("acme" if n % 2 else "bolt") for n in range(40)]
    assert await meter.send(calls) == [Taken()] * 40
    assert stub.busiest == {"cus_acme": 1, "cus_bolt": 1}
    assert stub.value_of("cus_acme") == 20 * 123


async def test_an_event_that_stripe_has_is_taken(stub: StripeStub, meter: StripeMeter):
    sent = call()
    assert [await one(meter, sent), await one(meter, sent)] == [Taken(), Taken()]
    assert stub.value_of("cus_acme") == 123


async def test_a_limit_ends_the_batch_until_stripe_says(stub: StripeStub, meter: StripeMeter):
    stub.faults.append(status(429, retry_after="7"))
    answers = await meter.send([call() for _ in range(5)])
    assert {type(answer) for answer in answers} == {Later}
    assert {(answer.after_s, answer.unsure) for answer in answers if isinstance(answer, Later)} == {(7.0, False)}
    assert stub.requests == 1


@pytest.mark.parametrize(
    ("fault", "unsure", "words"),
    [
        (status(500), True, "scripted 500"),
        (status(503), True, "scripted 503"),
        (lost_answer(502), True, "after it was counted"),
        (cut(counted=False), True, "Stripe"),
        (cut(counted=True), True, "Stripe"),
        (status(409), False, "scripted 409"),
    ],
)
async def test_what_may_have_been_counted_is_sent_again_and_counts_once(
    stub: StripeStub, meter: StripeMeter, fault, unsure, words
):
    stub.faults.append(fault)
    sent = call()
    first = await one(meter, sent)
    assert isinstance(first, Later)
    assert (first.unsure, words in first.reason) == (unsure, True)
    assert await one(meter, sent) == Taken()
    assert stub.value_of("cus_acme") == 123


async def test_one_bad_event_holds_up_no_other(stub: StripeStub, meter: StripeMeter):
    stub.refuse.add("cus_bolt")
    answers = await meter.send([call(), call("bolt"), call()])
    assert [type(answer) for answer in answers] == [Taken, Refused, Taken]
    assert isinstance(answers[1], Refused)
    assert answers[1].reason == "Stripe (400): No such customer: 'cus_gone'"


async def test_an_event_that_is_too_old_for_stripe_is_refused(stub: StripeStub, meter: StripeMeter):
    answer = await one(meter, call(closed_at=datetime.now(UTC) - timedelta(days=36)))
    assert isinstance(answer, Refused)
    assert "35 calendar days" in answer.reason


async def test_a_wrong_key_loses_nothing_and_is_not_shown(stub: StripeStub):
    meter = meter_to(stub, api_key="sk_live_very_secret")
    answer = await one(meter, call())
    assert isinstance(answer, Later)
    assert not answer.unsure
    assert "very_secret" not in answer.reason + repr(meter)
    await meter.close()


async def test_nobody_at_the_address_is_later(stub: StripeStub):
    meter = meter_to(stub, base_url="http://127.0.0.1:9")
    assert isinstance(await one(meter, call()), Later)
    await meter.close()


async def test_who_is_billed_for_how_much_is_configuration(stub: StripeStub):
    def customer(of: MeteredCall) -> str | None:
        return None if of.kind == "ours" else "cus_all"

    for quantity, value in {"microdollars": 2_500, "input_tokens": 100, "output_tokens": 23}.items():
        meter = meter_to(stub, customer=customer, quantity=quantity)
        sent = call()
        assert await one(meter, sent) == Taken()
        assert stub.counted[sent.id]["payload[value]"] == str(value)
        assert await one(meter, call(kind="ours")) == Taken()
        await meter.close()
    doubled = meter_to(stub, customer=customer, quantity=lambda of: 2 * of.output_tokens)
    sent = call()
    assert await one(doubled, sent) == Taken()
    assert stub.counted[sent.id]["payload[value]"] == "46"
    await doubled.close()
    assert stub.requests == 4, "nothing is sent where nobody is billed"


async def test_what_cannot_be_billed_says_why(stub: StripeStub, meter: StripeMeter):
    by_cost = meter_to(stub, quantity="microdollars")
    broken = meter_to(stub, quantity=lambda of: 1.5)
    for sender, sent, words in (
        (meter, call("nobody"), "no customer is given for tenant 'nobody'"),
        (by_cost, call(cost=None), "no price is known for model 'gpt-4o-mini' of 'openai'"),
        (broken, call(), "quantity must be a whole number, 0 or more, not 1.5"),
    ):
        answer = await one(sender, sent)
        assert isinstance(answer, Refused)
        assert words in answer.reason
    assert await one(meter, call(None)) == Taken(), "a call of no tenant is the house's own"
    assert stub.requests == 0
    await by_cost.close()
    await broken.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_key": ""}, "api_key is empty"),
        ({"event_name": ""}, "event_name must be that of a meter"),
        ({"quantity": "dollars"}, "quantity must be one of tokens, input_tokens, output_tokens, microdollars"),
        ({"base_url": "stripe.com"}, "base_url must begin with https://"),
        ({"concurrency": 0}, "concurrency must be 1 to 100, not 0"),
        ({"name": "a,b"}, "usage sink must be 1 to 200 printable characters"),
    ],
)
def test_what_cannot_be_right_is_refused(stub: StripeStub, options, words):
    with pytest.raises(ConfigurationError, match=words):
        meter_to(stub, **options)
