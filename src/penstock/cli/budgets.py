"""`penstock budgets`."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, run
from penstock.domain.money import billionths, shown
from penstock.operations.budgets import CODE, BudgetChange, BudgetView

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The budget's name.")]

app = commands("Set what model calls may cost, and see what is spent.")


@app.command("list", epilog=examples("penstock budgets list", "penstock budgets list --name team --json"))
def list_budgets(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only this budget.")] = None,
    as_json: Json = False,
) -> None:
    """List budgets: what is spent, reserved by calls on their way, and left in the window of now."""
    found = run(ctx, lambda engine: engine.budgets.list(name))
    if as_json:
        print_json([{field: _plain(getattr(one, field)) for field in BudgetView.__slots__} for one in found])
        return
    print_table(
        ("budget", "for", "amount", "spent", "reserved", "left", "window ends", "jobs wait", "from"),
        [
            (
                one.name, _whose(one), _amount(one, one.amount), _amount(one, one.spent), _amount(one, one.reserved),
                _amount(one, one.left), one.window_end or "never", one.waiting or "", one.source,
            )
            for one in found
        ],
        empty="no budgets: set one with `penstock budgets set`, or in code with Penstock(budgets=[…])",
    )  # fmt: skip


@app.command(
    "set",
    epilog=examples(
        "penstock budgets set team --dollars 50 --per month --tz Europe/Berlin",
        "penstock budgets set each-tenant --dollars 2.50 --per day --tenant '*'",
        "penstock budgets set acme --dollars 20 --per day --tenant acme",
        "penstock budgets set flows --tokens 200000 --flow '*'",
        "penstock budgets set team --dollars 80",
    ),
)
def set_budget(
    ctx: typer.Context,
    name: NameArgument,
    dollars: Annotated[str | None, typer.Option("--dollars", metavar="AMOUNT", help="US dollars, as in 12.50.")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", metavar="N", help="Tokens, sent and answered.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="A tenant; '*': each has its own.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="A kind of jobs; '*': each has its own.")] = None,
    flow: Annotated[str | None, typer.Option("--flow", help="'*': each flow has its own.")] = None,
    per: Annotated[str | None, typer.Option("--per", metavar="day|month", help="Default: in all.")] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="Time zone of days and months (default: UTC).")] = None,
    warn_at: Annotated[
        float | None, typer.Option("--warn-at", metavar="SHARE", help="Tell the log at this share (default: 0.8).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set a budget, or change one: what is not given stays. Jobs that wait for it ask again at once."""
    given = {
        "dollars": _dollars(dollars), "tokens": tokens, "tenant": tenant, "kind": kind, "flow": flow, "per": per,
        "tz": tz, "warn_at": warn_at,
    }  # fmt: skip
    fields = {field: value for field, value in given.items() if value is not None}

    async def work(engine: Penstock) -> BudgetChange:
        return await engine.budgets.set(name, **fields)

    done = run(ctx, work)
    _say(done, as_json, f"budget {name} is set")


@app.command("unset", epilog=examples("penstock budgets unset team"))
def unset_budget(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Take a budget back: what was set here, else what code has declared. Jobs that wait for it ask again at once."""
    done = run(ctx, lambda engine: engine.budgets.unset(name))
    more = "; it comes back when a process whose code declares it starts" if done.source == CODE else ""
    _say(done, as_json, f"budget {name} is unset{more}")


def _say(done: BudgetChange, as_json: bool, text: str) -> None:
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{text}; jobs that go on: {done.resumed}" if done.resumed else text)


def _dollars(text: str | None) -> str | None:
    if text is not None and billionths(text) is None:
        raise typer.BadParameter(f"{text!r} is no amount of money; write it as in 12.50", param_hint="--dollars")
    return text


def _whose(one: BudgetView) -> str:
    named = (("tenant", one.tenant), ("kind", one.kind), ("flow", one.flow))
    return ", ".join(f"each {what}" if who == "*" else f"{what} {who}" for what, who in named if who) or "all"


def _amount(one: BudgetView, amount: Decimal) -> str:
    return shown(billionths(amount) or 0) if one.unit == "dollars" else f"{amount:,} tokens"


def _plain(value: Any) -> Any:
    """Money as text, so that no digit is lost."""
    return str(value) if isinstance(value, Decimal) else value
