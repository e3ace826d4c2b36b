"""`penstock limits`."""

import typer

from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, run
from penstock.operations import LimitView

app = commands("See what providers of models allow, and what waits for that.")


@app.command("list", epilog=examples("penstock limits list", "penstock limits list --json"))
def list_limits(ctx: typer.Context, as_json: Json = False) -> None:
    """List the limits that model calls have met: rates a minute, calls on their way, and when the next one may go."""
    found = run(ctx, lambda engine: engine.limits.list())
    if as_json:
        print_json(found)
        return
    print_table(
        (
            "provider",
            "model",
            "key",
            "requests",
            "tokens in",
            "out",
            "at once",
            "on their way",
            "next",
            "waiting kinds",
        ),
        [_row(limit) for limit in found],
        empty="no limits yet: they appear with the first call of an engine that has them, Penstock(limits=[…])",
    )


def _row(limit: LimitView) -> tuple[object, ...]:
    return (
        limit.provider, limit.model or "all", limit.account,
        _rate(limit.requests, limit.told_requests), _rate(limit.input_tokens, limit.told_input_tokens),
        _rate(limit.output_tokens, limit.told_output_tokens), limit.concurrent or "",
        limit.running, limit.opens_at or "now", ", ".join(limit.waiting),
    )  # fmt: skip


def _rate(declared: int | None, told: int | None) -> str:
    if declared is None:
        return ""
    return f"{declared:,}" if told is None or told >= declared else f"{told:,} (told; {declared:,} declared)"
