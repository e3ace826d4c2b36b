"""`penstock sinks`."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from penstock import Penstock
from penstock.ledger import Delivery, Ledger, MeteredCall, Refused
from penstock.ledger.sinks import send_owed
from tests.cli.program import Program


class Closed:
    """A sink that takes nothing."""

    name = "books"
    remembers = timedelta(hours=1)

    async def send(self, calls: Sequence[MeteredCall]) -> Sequence[Delivery]:
        return [Refused("the books are closed")] * len(calls)

    async def close(self) -> None:
        """It holds nothing."""


@pytest.fixture
def refused(penstock: Program) -> str:
    """A call that a sink has refused."""

    async def make(engine: Penstock) -> str:
        ledger = Ledger(engine.store, sinks=[Closed()])
        opened = await ledger.open("acme-ai", "m")
        await ledger.close(opened, "answered", input_tokens=1, output_tokens=1)
        await send_owed(engine.store, Closed())
        return opened.id

    return penstock.engine(make)


def test_lists_sinks_with_what_they_are_owed_and_refuse(penstock: Program, refused: str) -> None:
    (listed,) = penstock.json("sinks", "list")
    assert (listed["name"], listed["owed"], listed["refused"], listed["problem"]) == (
        "books",
        0,
        1,
        "the books are closed",
    )
    (shown,) = penstock.json("sinks", "refused", "books")
    assert (shown["call_id"], shown["problem"]) == (refused, "the books are closed")
    assert refused in penstock("sinks", "refused", "books").stdout
    assert "books has refused 1 calls" in penstock("doctor").stdout


def test_what_was_refused_is_retried_or_dropped(penstock: Program, refused: str) -> None:
    assert penstock("sinks", "retry", "books").stdout == "calls sent to books again: 1\n"
    assert penstock("sinks", "refused", "books").stdout == "books has refused nothing\n"
    assert penstock.json("sinks", "list")[0]["owed"] == 1
    penstock.engine(lambda engine: send_owed(engine.store, Closed()))
    assert penstock.json("sinks", "drop", "books") == {"sink": "books", "dropped": 1}
    assert penstock.json("sinks", "list")[0]["owed"] == 0


def test_a_sink_is_forgotten(penstock: Program, refused: str) -> None:
    assert penstock.json("sinks", "forget", "books") == {"sink": "books", "forgotten": True}
    assert penstock("sinks", "list").stdout.startswith("no usage sinks")
    for command in ("forget", "refused", "retry", "drop"):
        done = penstock("sinks", command, "books")
        assert (done.exit_code, done.stderr) == (
            1,
            "penstock: no usage sink 'books'; `penstock sinks list` names them\n",
        )
