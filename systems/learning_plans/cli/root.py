"""The commands."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from penstock import PenstockError
from systems.common.logs import configure_logs
from systems.common.serving import listener
from systems.common.serving import serve as serve_until_signal
from systems.learning_plans.cli.create import CREATING_LEARNER, NotMade, create_plan
from systems.learning_plans.domain.entities import LearningStyle, SkillLevel
from systems.learning_plans.domain.errors import InvalidInput, LearningPlansError
from systems.learning_plans.domain.tiers import Tier
from systems.learning_plans.wiring import LearningPlans, build

EXIT_FAILED, EXIT_WRONG = 1, 2
_OPTIONS = {
    "topic": "--topic",
    "notes": "--notes",
    "skill_level": "--level",
    "weekly_hours": "--hours",
    "learning_style": "--style",
    "start_date": "--start",
    "deadline_date": "--deadline",
}

app = typer.Typer(
    name="learning_plans",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Learning plans: a topic, a level and weekly hours become a plan of modules and tasks.",
    epilog="""Example: python -m systems.learning_plans create --topic Photosynthesis --level beginner --hours 5""",
)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback is open to the network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: PORT, else 8001; 0 picks one.")] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Also run the jobs, in this process.")] = False,
) -> None:
    """Serve the HTTP routes."""
    configure_logs()
    plans = _built()
    raise typer.Exit(_run(_serve(plans, host, plans.settings.port if port is None else port, worker=worker)))


@app.command()
def worker() -> None:
    """Run the jobs until SIGTERM or SIGINT; exit code 1 when some had to be given back."""
    configure_logs()
    raise typer.Exit(_run(_work(_built())))


@app.command(epilog="Example: … create --topic SQL --level beginner --hours 5 --deadline 2027-03-01 > sql.md")
def create(
    topic: Annotated[str, typer.Option(help="What to learn, 3 to 200 characters.")],
    level: Annotated[str, typer.Option(help=f"One of {', '.join(SkillLevel)}.")],
    hours: Annotated[int, typer.Option(help="Hours a week, 0 to 80.")],
    style: Annotated[str, typer.Option(help=f"One of {', '.join(LearningStyle)}.")] = LearningStyle.MIXED,
    notes: Annotated[str | None, typer.Option(help="What else the plan is to heed, at most 2,000 characters.")] = None,
    notes_file: Annotated[Path | None, typer.Option(help="The same, from a text file.")] = None,
    start: Annotated[str | None, typer.Option(help="The first day, as 2027-01-31.", metavar="DATE")] = None,
    deadline: Annotated[
        str | None, typer.Option(help="The last day; the plan is fitted to it.", metavar="DATE")
    ] = None,
    user: Annotated[str, typer.Option(help="Whose plan it is.")] = CREATING_LEARNER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON instead of Markdown.")] = False,
) -> None:
    """Make a plan here and now, and print it; how it goes is told on stderr."""
    configure_logs("error")
    wishes = {
        "topic": topic,
        "notes": _notes(notes, notes_file),
        "skill_level": level,
        "weekly_hours": hours,
        "learning_style": style,
        "start_date": start,
        "deadline_date": deadline,
    }
    text = _run(create_plan(_built(), user, wishes, as_json=as_json))
    typer.echo(text, nl=False)


@app.command()
def set_tier(
    user: Annotated[str, typer.Argument(help="The learner's id, as the client names it.")],
    tier: Annotated[Tier, typer.Argument(help="What the learner may use from now on.")],
) -> None:
    """Give a learner a tier."""
    configure_logs("error")
    _run(_set_tier(_built(), user, tier))
    typer.echo(f"{user}: {tier.value}")


def main() -> None:
    """Run the program on `sys.argv`; never returns."""
    app(prog_name="python -m systems.learning_plans")


def _built() -> LearningPlans:
    try:
        return build()
    except (PenstockError, ValueError) as error:
        _stop(str(error), EXIT_WRONG)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except InvalidInput as error:
        _stop("; ".join(f"{_OPTIONS.get(field, field)} {problem}" for field, problem in error.faults), EXIT_WRONG)
    except (LearningPlansError, NotMade) as error:
        _stop(str(error), EXIT_FAILED)
    except (PenstockError, SQLAlchemyError, OSError) as error:
        _stop(str(error).partition("\n")[0], EXIT_FAILED)


def _stop(reason: str, code: int) -> NoReturn:
    typer.echo(f"learning_plans: {reason}", err=True)
    raise typer.Exit(code)


def _notes(given: str | None, file: Path | None) -> str | None:
    if file is None:
        return given
    if given is not None:
        _stop("--notes and --notes-file: give one of the two", EXIT_WRONG)
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"--notes-file: {file} cannot be read: {error}", EXIT_WRONG)


async def _work(plans: LearningPlans) -> int:
    await plans.open()
    try:
        return await plans.worker().run()
    finally:
        await plans.close()


async def _serve(plans: LearningPlans, host: str, port: int, *, worker: bool) -> int:
    what = f" ({'with' if worker else 'without'} a worker)"
    start = plans.start if worker else plans.open
    return await serve_until_signal(plans.app, listener(host, port), start, plans.stop, what)


async def _set_tier(plans: LearningPlans, user: str, tier: Tier) -> None:
    await plans.open()
    try:
        await plans.users.set_tier(user, tier)
    finally:
        await plans.close()
