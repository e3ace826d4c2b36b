"""`penstock budgets`."""

import pytest

from penstock import Penstock
from penstock.ai import Budget
from penstock.domain.calls import CallScope
from penstock.ledger import Ledger
from tests.cli.program import Program


def test_sets_lists_and_unsets(penstock: Program) -> None:
    assert penstock("budgets", "list").stdout.startswith("no budgets")
    done = penstock("budgets", "set", "team", "--dollars", "50", "--per", "month", "--tz", "Europe/Berlin")
    assert (done.exit_code, done.stdout) == (0, "budget team is set\n")
    (listed,) = penstock.json("budgets", "list")
    assert {name: listed[name] for name in ("name", "source", "unit", "amount", "left", "per", "tz")} == {
        "name": "team", "source": "set", "unit": "dollars", "amount": "50", "left": "50", "per": "month",
        "tz": "Europe/Berlin",
    }  # fmt: skip
    assert listed["window_end"].endswith("+00:00")
    shown = penstock("budgets", "list").stdout
    assert "$50.00" in shown
    assert penstock.json("budgets", "unset", "team") == {"name": "team", "resumed": 0, "source": "set"}
    refused = penstock("budgets", "unset", "team")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "penstock: no budget 'team'; `penstock budgets list` names them\n",
    )


def test_what_is_not_given_stays(penstock: Program) -> None:
    penstock("budgets", "set", "each", "--tokens", "1000", "--tenant", "*", "--per", "day", "--warn-at", "0.5")
    penstock("budgets", "set", "each", "--tokens", "5000")
    (listed,) = penstock.json("budgets", "list", "--name", "each")
    assert (listed["amount"], listed["tenant"], listed["per"], listed["warn_at"]) == ("5000", "*", "day", 0.5)
    shown = penstock("budgets", "list").stdout
    assert "each tenant" in shown
    assert "5,000 tokens" in shown


def test_shows_what_is_spent_by_whom_and_who_waits(penstock: Program) -> None:
    async def spend(engine: Penstock) -> None:
        ledger = Ledger(engine.store, budgets=[Budget("each", tokens=100, tenant="*").rule])
        for tenant, tokens in (("acme", 60), ("bolt", 90)):
            whose = CallScope("018f0000-0000-7000-8000-000000000001", 1, 1, "work", tenant)
            opened = await ledger.open("acme-ai", "m", scope=whose, input_estimate=tokens, output_estimate=0)
            if tenant == "acme":
                await ledger.close(opened, "answered", input_tokens=50, output_tokens=0)

    penstock.engine(spend)
    bolt, acme = penstock.json("budgets", "list")
    assert [(one["tenant"], one["spent"], one["reserved"], one["left"]) for one in (bolt, acme)] == [
        ("bolt", "0", "90", "10"),
        ("acme", "50", "0", "50"),
    ]
    assert acme["window_end"] is None
    shown = penstock("budgets", "list").stdout
    assert "tenant acme" in shown
    assert "never" in shown


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--dollars", "much"], "'much' is no amount of money"),
        (["--tokens", "5", "--per", "week"], "per must be 'day', 'month' or None (in all), not 'week'"),
        (["--tokens", "5", "--tz", "Mars/Base"], "tz 'Mars/Base' is not a time zone"),
        (["--tokens", "5", "--flow", "f1"], "flow must be '*'"),
        (["--tenant", "acme"], "needs either dollars= or tokens="),
    ],
)
def test_bad_input_says_what_would_be_right(penstock: Program, args: list[str], words: str) -> None:
    done = penstock("budgets", "set", "b", *args)
    assert done.exit_code in (1, 2)
    assert words in done.stderr
    assert penstock.json("budgets", "list") == []
