import threading
from collections.abc import Sequence

import pytest

from systems.learning_plans.domain.doc_sites import DEFAULT_DOMAINS
from systems.learning_plans.infrastructure.link_check import LinkCheck
from tests.learning_plans.wires.search_wires import SearchWires
from tests.support import faults

LOCAL = ("127.0.0.1",)


@pytest.fixture
def check() -> LinkCheck:
    return LinkCheck(LOCAL, allow_private=True)


async def test_a_page_that_is_there_passes_by_its_head(check: LinkCheck, wires: SearchWires) -> None:
    assert await check.refusal(wires.page("a")) is None
    assert wires.heads["a"] == 1


@pytest.mark.parametrize("code", [404, 403, 405, 500, 304])
async def test_any_other_answer_than_2xx_is_refused(check: LinkCheck, wires: SearchWires, code: int) -> None:
    wires.faults["/docs/a"].append(faults.status(code))
    assert await check.refusal(wires.page("a")) == f"answered {code}"


async def test_a_redirect_on_allowed_sites_is_followed(check: LinkCheck, wires: SearchWires) -> None:
    wires.faults["/docs/a"].append(faults.redirect("/docs/b", 301))
    assert await check.refusal(wires.page("a")) is None
    assert wires.heads["b"] == 1


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("https://evil.example/", "host evil.example is not on the list"),
        ("http://169.254.169.254/latest/meta-data", "host 169.254.169.254 is not on the list"),
        ("http://127.0.0.1@evil.example/", "the address has a user part"),
        ("file:///etc/passwd", "not an http or https address"),
        ("/docs/a", "more than 3 redirects"),
    ],
)
async def test_a_redirect_to_elsewhere_is_refused(
    check: LinkCheck, wires: SearchWires, target: str, refusal: str
) -> None:
    wires.faults["/docs/a"] += [faults.redirect(target)] * 9
    assert await check.refusal(wires.page("a")) == refusal


async def test_an_allowed_name_behind_which_is_a_private_address_is_refused(wires: SearchWires) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    check = LinkCheck(DEFAULT_DOMAINS, resolve=resolve)
    url = wires.page("a").replace("127.0.0.1", "go.dev")
    assert await check.refusal(url) == "host go.dev is not a public address"
    assert wires.calls.total() == 0


async def test_a_site_that_is_not_on_the_list_is_not_asked(wires: SearchWires) -> None:
    check = LinkCheck(DEFAULT_DOMAINS, allow_private=True)
    assert await check.refusal(wires.page("a")) == "host 127.0.0.1 is not on the list"
    assert wires.calls.total() == 0


async def test_silence_is_refused(wires: SearchWires) -> None:
    until = threading.Event()
    wires.faults["/docs/a"].append(faults.stall(until))
    refusal = await LinkCheck(LOCAL, allow_private=True, timeout_s=0.3).refusal(wires.page("a"))
    until.set()
    assert refusal == "no answer within 0.3 s"


async def test_a_cut_connection_is_refused(check: LinkCheck, wires: SearchWires) -> None:
    wires.faults["/docs/a"].append(faults.cut)
    assert await check.refusal(wires.page("a")) == "cannot be fetched (RemoteProtocolError)"


def test_five_seconds_are_the_limit() -> None:
    assert LinkCheck(LOCAL)._timeout_s == 5
