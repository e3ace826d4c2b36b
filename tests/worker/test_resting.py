"""A run is let go only when nothing is under way in it, also when who rests had begun to rest before."""

import asyncio

from penstock.context.resting import Resting, StepCaller
from penstock.domain.calls import CallScope

SCOPE = CallScope("j", 1, 1, "work", step="one")


async def settled(task: "asyncio.Future[None]") -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


async def test_who_begins_to_rest_again_still_waits_for_the_others():
    resting = Resting()
    caller = StepCaller(SCOPE, resting)
    with resting.working():
        with resting.working():
            first = asyncio.ensure_future(caller.at_rest())
            assert not await settled(first)
            first.cancel()
            again = asyncio.ensure_future(caller.at_rest(though_paid=True))
            assert not await settled(again), "another step is under way"
        assert await settled(again)
        caller.go_on(called=True)
        assert not await settled(asyncio.ensure_future(caller.at_rest())), "at a limit it stays: that was paid"
        assert await settled(asyncio.ensure_future(caller.at_rest(though_paid=True)))
