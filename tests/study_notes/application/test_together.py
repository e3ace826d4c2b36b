import asyncio

import pytest

from systems.study_notes.application.together import all_or_first_error


async def test_results_come_in_order_and_no_more_are_under_way_than_allowed() -> None:
    running, most = 0, 0

    async def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    assert await all_or_first_error([call(number) for number in range(10)], at_once=3) == list(range(10))
    assert most == 3
    assert await all_or_first_error([]) == []


async def test_the_first_error_is_raised_when_all_have_ended() -> None:
    ended: list[int] = []

    async def call(number: int) -> None:
        await asyncio.sleep(0)
        ended.append(number)
        if number in (1, 2):
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        await all_or_first_error([call(number) for number in range(4)], at_once=1)
    assert ended == [0, 1, 2, 3]


async def test_cancelled_it_leaves_no_call_that_was_never_awaited() -> None:
    begun: list[int] = []

    async def call(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(60)

    task = asyncio.create_task(all_or_first_error([call(number) for number in range(3)], at_once=1))
    while not begun:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun == [0]
