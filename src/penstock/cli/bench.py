"""`penstock bench`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from penstock.bench import PARTS, Figure, Part, Profile, Report, Spread, StoreName, run_bench
from penstock.bench.chart import chart
from penstock.bench.report import QUICK, Sizes
from penstock.cli.group import commands, examples
from penstock.cli.loops import run_loop
from penstock.cli.output import print_table, print_text, seconds
from penstock.cli.root import TYPED_DATABASE
from penstock.errors import ConfigurationError

app = commands()

_PROFILE = {
    "own_cpu_us": "worker CPU µs", "server_cpu_us": "server CPU µs", "log_bytes": "bytes of log", "commits": "commits",
    "cores": "cores busy",
}  # fmt: skip


@app.command(
    epilog=examples(
        "penstock bench",
        "penstock bench --quick --store sqlite",
        "penstock bench --part drain --part two-processes --store postgres --repeats 5",
        "penstock bench --json figures.json --chart figures.svg",
    )
)
def bench(
    ctx: typer.Context,
    store: Annotated[list[StoreName] | None, typer.Option("--store", help="sqlite or postgres; default: both.")] = None,
    part: Annotated[
        list[str] | None, typer.Option("--part", metavar="NAME", help="Only this part (see --list); repeatable.")
    ] = None,
    show_parts: Annotated[
        bool, typer.Option("--list", help="Say which parts there are and how long they take.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, once each: a minute instead of many.")] = False,
    repeats: Annotated[int | None, typer.Option("--repeats", min=1, max=100, help="Measure so often.")] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="One JSON document into a file; - instead of tables.")
    ] = None,
    chart_file: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.svg", help="Draw the rates beside their floors.")
    ] = None,
) -> None:
    """Measure the engine beside a hand-written SQL floor, on databases of its own that it drops.

    PostgreSQL: the server that --database names, that of PENSTOCK_TEST_POSTGRES, one on 127.0.0.1:5432, else an
    embedded one.
    """
    if show_parts:
        rows = [(one.name, one.what, seconds(one.seconds)) for one in PARTS]
        print_table(("part", "what is measured", "on one store"), rows, empty="")
        return
    sizes = QUICK if quick else Sizes()
    sizes = sizes if repeats is None else replace(sizes, repeats=repeats)
    url = ctx.meta.get(TYPED_DATABASE) or ""
    parts = _chosen(part)
    report = run_loop(
        run_bench(store or list(StoreName), parts, sizes, url if url.startswith("postgres") else None, _tell)
    )
    if json_file != "-":
        _print(report)
    if json_file is not None:
        _write_json(report, json_file)
    if chart_file is not None:
        chart_file.write_text(chart(report))
    if all(one.not_run for one in report.stores):
        raise typer.Exit(1)


def _chosen(names: list[str] | None) -> list[Part]:
    known = {one.name: one for one in PARTS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigurationError(f"there is no part {unknown[0]!r}; known: {', '.join(known)}")
    return [one for one in PARTS if not names or one.name in names]


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _write_json(report: Report, file: str) -> None:
    text = orjson.dumps(_plain(report), option=orjson.OPT_INDENT_2).decode()
    if file == "-":
        typer.echo(text)
    else:
        Path(file).write_text(text + "\n")


def _plain(report: Report) -> dict[str, Any]:
    plain = asdict(report)
    for one, stored in zip(plain["stores"], report.stores, strict=True):
        for figure, measured in zip(one["figures"], stored.figures, strict=True):
            figure |= {"ratio": measured.ratio, "met": measured.met}
    return plain


def _print(report: Report) -> None:
    sizes = report.sizes
    print_text(
        f"Python {report.python}, {report.processors} processors, {report.loop}; {sizes.jobs:,} jobs of "
        f"about 100 bytes, medians of {sizes.repeats} (least to greatest)"
    )
    for store in report.stores:
        print_text(f"\n{store.place or store.store}", style="bold")
        if store.not_run is not None:
            print_text(f"not run: {store.not_run}")
            continue
        columns = ("", "penstock", "unit", "beside it", "which is", "ratio", "bar", "")
        print_table(columns, [_row(figure) for figure in store.figures], empty="")
        profiles = [(figure.name, *_cells(figure.profile)) for figure in store.figures if figure.profile is not None]
        if profiles:
            print_text("where it goes, per job")
            print_table(("", *_PROFILE.values()), profiles, empty="")


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    verdict = {None: "", True: "met", False: "NOT MET"}[figure.met]
    beside = "" if figure.other is None else _spread(figure.other)
    bar = "" if figure.bar is None else str(figure.bar)
    return figure.name, _spread(figure.engine), figure.unit, beside, figure.beside, ratio, bar, verdict


def _cells(profile: Profile) -> list[str]:
    values = [getattr(profile, name) for name in _PROFILE]
    return [
        "not known" if value is None else f"{value:,.{0 if value >= 100 else 3 if value < 1 else 1}f}"
        for value in values
    ]


def _spread(spread: Spread) -> str:
    digits = 0 if spread.median >= 100 else 2
    if spread.low == spread.high:
        return f"{spread.median:,.{digits}f}"
    return f"{spread.median:,.{digits}f} ({spread.low:,.{digits}f} to {spread.high:,.{digits}f})"
