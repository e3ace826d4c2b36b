"""Which of the programs that wait for the writer go first."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from penstock.store.program import Call, Steps, program
from penstock.store.sqlite import group as group_module
from tests.store.sqlite.things import blocking


@program
def noting(order: list[str], name: str, then: Callable[[], object] = lambda: None) -> Steps[int]:
    """Notes that it runs; answers how far its commit reaches."""
    order.append(name)
    then()
    return (yield Call("synchronous"))[0][0]


async def test_what_needs_no_disk_passes_what_does(store):
    began, go_on = threading.Event(), threading.Event()
    writer = store._parts().writer
    order: list[str] = []
    writer.submit(blocking(began, go_on), False)
    assert began.wait(20)
    futures = [writer.submit(noting(order, name), name.isupper()) for name in "AbCd"]
    go_on.set()
    assert [await asyncio.wrap_future(future) for future in futures] == [2, 1, 2, 1]
    assert order == ["b", "d", "A", "C"]


async def test_after_that_all_go_in_the_order_in_which_they_came(store):
    began, go_on = threading.Event(), threading.Event()
    writer = store._parts().writer
    order: list[str] = []
    later: list[Any] = []

    def submit_more() -> None:
        later.append(writer.submit(noting(order, "loose"), False))
        later.append(writer.submit(noting(order, "last"), True))

    writer.submit(blocking(began, go_on), False)
    assert began.wait(20)
    writer.submit(noting(order, "durable"), True)
    first = writer.submit(noting(order, "first", submit_more), False)
    go_on.set()
    await asyncio.wrap_future(first)
    assert [await asyncio.wrap_future(future) for future in later] == [2, 2]
    assert order == ["first", "durable", "loose", "last"]


async def test_what_is_left_of_those_that_passed_stays_ahead(store, monkeypatch):
    monkeypatch.setattr(group_module, "SECONDS", 0.0)
    began, go_on = threading.Event(), threading.Event()
    writer = store._parts().writer
    order: list[str] = []
    writer.submit(blocking(began, go_on), False)
    assert began.wait(20)
    futures = [writer.submit(noting(order, name), name.isupper()) for name in "AbCd"]
    go_on.set()
    for future in futures:
        await asyncio.wrap_future(future)
    assert order == ["b", "d", "A", "C"]
