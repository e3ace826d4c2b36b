import asyncio
import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx2
import pytest

from systems.learning_plans.application.curation_ports import SearchFailed, Waiting
from systems.learning_plans.infrastructure.google_limiter import GoogleLimiter
from systems.learning_plans.infrastructure.search_api import MAX_DELAY_S, SearchApi, delays
from tests.learning_plans.application.curation_fakes import MovableClock
from tests.learning_plans.infrastructure.call_book import MemoryBook
from tests.learning_plans.wires.search_wires import MDN, YOUTUBE, YOUTUBE_KEY, SearchWires
from tests.support import faults

Make = Callable[..., SearchApi]
SEARCH = f"{YOUTUBE}/search"
PASSING = [
    faults.too_many(), faults.status(500), faults.status(503), faults.html(503), faults.cut, faults.cut_in_the_middle
]  # fmt: skip
LASTING = {
    "YouTube answered 403: The caller is not allowed": faults.status(403, "The  caller\nis not allowed"),
    "YouTube answered 400": faults.html(400),
    "YouTube answered 502: Backend Error": faults.status(502),
    "no JSON object": faults.html(),
    "is no JSON object": faults.body(b"[1]"),
    "that is no JSON object": faults.body(b'{"items": []}', "text/html"),
    "something that is no JSON object": faults.body(b'{"items": ['),
    "more than 2,000,000 bytes": faults.huge(),
    "packed": faults.packed(),
    "YouTube answered 302": faults.redirect("http://169.254.169.254/latest/meta-data"),
    "YouTube answered 307": faults.redirect("/mdn/api/v1/search?q=x", 307),
}


async def ask(api: SearchApi, waiting: Waiting, query: str = "SQL") -> object:
    return await api.get("/search", {"q": query}, waiting)


def test_delays_double_from_one_second_with_up_to_thirty_percent_more() -> None:
    assert list(delays(lambda: 0.0)) == [1, 2, 4, 8, 16]
    assert list(delays(lambda: 1.0)) == pytest.approx([1.3, 2.6, 5.2, 10.4, 20.8])
    assert all(1 <= delay / plain <= 1.3 for delay, plain in zip(delays(), [1, 2, 4, 8, 16], strict=True))


@pytest.mark.parametrize("fault", PASSING)
async def test_passing_trouble_is_repeated_five_times(
    api: Make, wires: SearchWires, waiting: Waiting, slept: list[float], fault: faults.Fault
) -> None:
    wires.faults[SEARCH] += [fault] * 5
    assert await ask(api("YouTube"), waiting)
    assert wires.calls[SEARCH] == 6
    assert [round(seconds / 1.15) for seconds in slept] == pytest.approx([1, 2, 4, 8, 16], abs=2.1)


@pytest.mark.parametrize("fault", PASSING)
async def test_trouble_that_does_not_pass_is_an_error_after_six_calls(
    api: Make, wires: SearchWires, waiting: Waiting, fault: faults.Fault
) -> None:
    wires.faults[SEARCH] += [fault] * 7
    with pytest.raises(SearchFailed, match=r"YouTube .*, 6 times"):
        await ask(api("YouTube"), waiting)
    assert wires.calls[SEARCH] == 6


@pytest.mark.parametrize("reason", list(LASTING))
async def test_any_other_trouble_is_an_error_at_once(
    api: Make, wires: SearchWires, waiting: Waiting, slept: list[float], reason: str
) -> None:
    wires.faults[SEARCH].append(LASTING[reason])
    with pytest.raises(SearchFailed, match=reason):
        await ask(api("YouTube"), waiting)
    assert (sum(wires.calls.values()), slept) == (1, [])


async def test_a_stall_is_cut_off_and_repeated(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    until = threading.Event()
    wires.faults[SEARCH].append(faults.stall(until))
    assert await ask(api("YouTube", timeout_s=1.0), waiting)
    until.set()
    assert wires.calls[SEARCH] == 2


async def test_a_server_that_drips_is_cut_off(client: httpx2.AsyncClient, waiting: Waiting) -> None:
    answering: list[asyncio.Task[None]] = []

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.create_task(drips(reader, writer)))

    async def sleep(seconds: float) -> None:
        pass

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api = SearchApi("MDN", client, f"http://127.0.0.1:{port}", timeout_s=0.2, sleep=sleep)
    with pytest.raises(SearchFailed, match="MDN did not answer in time, 6 times"):
        await ask(api, waiting)
    await asyncio.gather(*answering)
    server.close()
    await server.wait_closed()


async def test_retry_after_is_heeded_when_it_is_longer_than_the_delay(
    api: Make, wires: SearchWires, waiting: Waiting, slept: list[float]
) -> None:
    wires.faults[SEARCH] += [faults.too_many("20"), faults.too_many("0")]
    await ask(api("YouTube"), waiting)
    assert slept[0] == 20
    assert 2 <= slept[1] <= 2.6


@pytest.mark.parametrize("late", [str(int(MAX_DELAY_S) + 1), "Wed, 21 Oct 2415 07:28:00 GMT"])
async def test_a_service_that_wants_a_long_rest_gets_it(
    api: Make, wires: SearchWires, waiting: Waiting, slept: list[float], late: str
) -> None:
    wires.faults[SEARCH].append(faults.too_many(late))
    with pytest.raises(SearchFailed, match=r"429.*asks to be left alone for \d+ s"):
        await ask(api("YouTube"), waiting)
    assert (wires.calls[SEARCH], slept) == (1, [])


async def test_nobody_listening_is_an_error(client: httpx2.AsyncClient, waiting: Waiting, slept: list[float]) -> None:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with pytest.raises(SearchFailed, match=r"MDN cannot be reached \(ConnectError\), 6 times"):
        await ask(SearchApi("MDN", client, "http://127.0.0.1:1", sleep=sleep), waiting)
    assert len(slept) == 5


async def test_answers_are_kept_by_question_and_errors_are_not(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    made = api("YouTube")
    wires.faults[SEARCH].append(faults.status(403))
    with pytest.raises(SearchFailed):
        await ask(made, waiting)
    assert await ask(made, waiting) == await ask(made, waiting)
    assert wires.calls[SEARCH] == 2
    await ask(made, waiting, "another")
    assert wires.calls[SEARCH] == 3


async def test_every_call_takes_a_turn_repeats_too_and_answers_kept_none(
    api: Make, wires: SearchWires, waiting: Waiting
) -> None:
    limiter = GoogleLimiter(MemoryBook(MovableClock(), spacing_s=0, daily_limit=3))
    made = api("YouTube", limiter=limiter)
    wires.faults[SEARCH] += [faults.status(500)]
    await ask(made, waiting)
    await ask(made, waiting)
    await ask(made, waiting, "another")
    with pytest.raises(SearchFailed, match="used up"):
        await ask(made, waiting, "third")
    assert wires.calls[SEARCH] == 3


async def test_two_are_in_flight_at_the_server(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    both, until = threading.Barrier(2), threading.Event()

    def meets(request):
        both.wait(30)  # breaks unless two are there at once
        return faults.body(b"{}")(request)

    wires.faults[SEARCH] += [meets] * 6
    limiter = GoogleLimiter(MemoryBook(MovableClock(), spacing_s=0))
    made = api("YouTube", limiter=limiter)
    await asyncio.gather(*(ask(made, waiting, f"query {n}") for n in range(6)))
    until.set()
    assert wires.most_in_flight == 2


async def test_keys_are_in_no_log_and_no_error(
    api: Make, wires: SearchWires, waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    wires.faults[SEARCH] += [faults.status(403, f"{YOUTUBE_KEY} is no good key"), faults.status(500)]
    with caplog.at_level(logging.DEBUG), pytest.raises(SearchFailed) as caught:
        await ask(api("YouTube"), waiting)
    logged = " ".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")  # the server's own
    assert "/youtube/v3/search" in logged
    assert YOUTUBE_KEY not in logged + str(caught.value)


async def test_the_path_parameters_and_key_are_sent(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    told: list[tuple[str, dict[str, str], str]] = []

    def look(request):
        told.append((request.path, request.args.to_dict(), request.headers["Accept-Encoding"]))
        return faults.body(json.dumps({"ok": True}).encode())(request)

    wires.faults[f"{MDN}/api"].append(look)
    assert await api("MDN", secrets={"key": "k&"}).get("/api", {"q": "a & b"}, waiting) == {"ok": True}
    assert told == [("/mdn/api", {"q": "a & b", "key": "k&"}, "identity")]
