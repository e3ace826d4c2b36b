"""`penstock bench`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from penstock.bench import Figure, Report, Spread, StoreName, run_bench
from penstock.bench.report import QUICK, Sizes
from penstock.cli.group import commands, examples
from penstock.cli.loops import run_loop
from penstock.cli.output import print_json, print_table, print_text
from penstock.cli.root import TYPED_DATABASE
from penstock.cli.session import Json

app = commands()


@app.command(epilog=examples("penstock bench", "penstock bench --quick --store sqlite", "penstock bench --json"))
def bench(
    ctx: typer.Context,
    store: Annotated[list[StoreName] | None, typer.Option("--store", help="sqlite or postgres; default: both.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the jobs: seconds instead of minutes.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the engine beside a hand-written SQL floor, on databases of its own that it drops.

    PostgreSQL: the server that --database names, that of PENSTOCK_TEST_POSTGRES, one on 127.0.0.1:5432, else an
    embedded one.
    """
    database = ctx.meta.get(TYPED_DATABASE) or ""
    url = database if database.startswith("postgres") else None
    report = run_loop(run_bench(store or list(StoreName), QUICK if quick else Sizes(), url))
    if as_json:
        print_json(_plain(report))
    else:
        _print(report)
    if all(one.not_run for one in report.stores):
        raise typer.Exit(1)


def _plain(report: Report) -> dict[str, Any]:
    plain = asdict(report)
    for one, stored in zip(plain["stores"], report.stores, strict=True):
        for figure, measured in zip(one["figures"], stored.figures, strict=True):
            figure["ratio"] = measured.ratio
    return plain


def _print(report: Report) -> None:
    sizes = report.sizes
    print_text(
        f"Python {report.python}, {report.processors} processors, {report.loop}; one process, {sizes.jobs:,} jobs of "
        f"about 100 bytes, medians of {sizes.repeats} (least to greatest)"
    )
    for store in report.stores:
        print_text(f"\n{store.place or store.store}", style="bold")
        if store.not_run is not None:
            print_text(f"not run: {store.not_run}")
            continue
        rows = [(f.name, _spread(f.engine), f.unit, _spread(f.other), f.beside, _ratio(f)) for f in store.figures]
        print_table(("", "penstock", "unit", "beside it", "which is", "ratio"), rows, empty="")


def _spread(spread: Spread) -> str:
    digits = 0 if spread.median >= 100 else 2
    return f"{spread.median:,.{digits}f} ({spread.low:,.{digits}f} to {spread.high:,.{digits}f})"


def _ratio(figure: Figure) -> str:
    return f"{figure.ratio:.2f}"
