"""Faults to plant in a history that is right, each of a sort that the checker must name."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from penstock import Penstock
from tests.chaos.app import EFFECTS
from tests.chaos.case import Allowed
from tests.chaos.checker import Violation, check
from tests.chaos.evidence import gather
from tests.chaos.ground import Ground
from tests.chaos.kinds import Follow

NO_CLAIM = 1
"""A claim that nobody was given."""
UNKNOWN = "00000000-0000-7000-8000-000000000000"
"""A job that does not exist."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A history that may be spoilt: its database, and a folder with the logs.

    connection: the one whose open transaction holds what is planted; None where the database is a copy.
    """

    ground: Ground
    folder: Path
    connection: psycopg.Connection | None = None

    def found(self, *, losses: bool = True) -> list[Violation]:
        """What the checker says of it, where runs may or may not be lost."""
        return check(gather(self.ground.database, self.folder), Allowed(losses=losses))

    def one(self, kind: str) -> str:
        """The id of a job of this kind."""
        [(job,), *_] = self.ground.database.select(
            "SELECT j.id FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id WHERE l.kind = ? ORDER BY j.id LIMIT 1", kind
        )
        return str(job)

    def run(self, sql: str) -> None:
        """Run SQL that names tables as `~jobs`."""
        self.ground.database.execute(sql)

    def rewrite(self, edit: Callable[[str], str], file: str = EFFECTS) -> None:
        """Change the text of a log."""
        path = self.folder / file
        path.write_text(edit(path.read_text()))


@dataclass(frozen=True, slots=True)
class Fault:
    """plant: does it, and answers the job, flow or log concerned. rule: what must name it. losses: runs may be lost."""

    name: str
    rule: str
    plant: Callable[[Scene], str]
    losses: bool = True
    stores: tuple[str, ...] = ("sqlite", "postgres")


def _sql(kind: str, statements: str) -> Callable[[Scene], str]:
    """Run statements about `{job}`, a job of this kind."""

    def plant(scene: Scene) -> str:
        job = scene.one(kind)
        scene.run(statements.replace("JOB", job))
        return job

    return plant


def _streamed(statements: str) -> Callable[[Scene], str]:
    """Run statements about a job that has streamed."""

    def plant(scene: Scene) -> str:
        [(job,), *_] = scene.ground.database.select("SELECT job_id FROM ~streams ORDER BY job_id LIMIT 1")
        scene.run(statements.replace("JOB", str(job)))
        return str(job)

    return plant


def _lines(kind: str, edit: Callable[[str], str]) -> Callable[[Scene], str]:
    """Replace the lines of a job of this kind in the log of side effects, one by one."""

    def plant(scene: Scene) -> str:
        job = scene.one(kind)
        scene.rewrite(lambda text: "\n".join(edit(line) if job in line else line for line in text.split("\n")))
        return job

    return plant


def _no_answer(scene: Scene) -> str:
    scene.rewrite(lambda text: text + f"\ntold piece {UNKNOWN} 0 0 1 1 .", "producer-1.told")
    return UNKNOWN


def _late_enqueue(scene: Scene) -> str:
    job = scene.one("piece")
    penstock = Penstock(scene.ground.url)
    penstock.sync.enqueue(Follow(of=job, claim=NO_CLAIM), on=scene.connection)
    asyncio.run(penstock.close())
    return job


def _late_event(scene: Scene) -> str:
    job = scene.one("piece")
    values = "SELECT max(position) + 1, 'chaos', 'chaos.reported', 'DATA', 0 FROM ~events"
    data = json.dumps({"job": job, "claim": NO_CLAIM, "ends": False})
    scene.run(f"INSERT INTO ~events (position, stream, type, data, at) {values}".replace("DATA", data))
    return job


def _swapped(scene: Scene) -> str:
    """Exchange the positions of the two events of one job."""
    [(job, low, high)] = scene.ground.database.select(
        "SELECT subject, min(position), max(position) FROM ~events GROUP BY subject HAVING count(*) > 1 "
        "ORDER BY subject LIMIT 1"
    )
    for old, new in ((low, -1), (high, low), (-1, high)):
        scene.run(f"UPDATE ~events SET position = {new} WHERE position = {old}")  # noqa: S608
    return str(job)


def _flow(assignments: str) -> Callable[[Scene], str]:
    def plant(scene: Scene) -> str:
        [(flow, *_)] = scene.ground.database.select("SELECT id FROM ~flows ORDER BY id LIMIT 1")
        scene.run(f"UPDATE ~flows SET {assignments} WHERE id = '{flow}'")  # noqa: S608
        return str(flow)

    return plant


def _log(statement: str) -> Callable[[Scene], str]:
    def plant(scene: Scene) -> str:
        scene.run(statement)
        return "the log"

    return plant


def _without_follow_up(scene: Scene) -> str:
    """The follow-up of a job that handed over is gone."""
    [(event,), *_] = scene.ground.database.select("SELECT min(subject) FROM ~events")
    [follow] = [row for row in gather(scene.ground.database, scene.folder).jobs.values() if row.data.get("of") == event]
    scene.run(f"DELETE FROM ~jobs WHERE id = '{follow.id}'")  # noqa: S608
    return str(event)


_AGAIN = (
    "UPDATE ~jobs SET state = 'running', finished_at = NULL, claim_id = CLAIM WHERE id = 'JOB';"
    "UPDATE ~jobs SET state = 'completed', finished_at = 1, claim_id = NULL WHERE id = 'JOB'"
)
_FIRST_CLAIM = "(SELECT min(w.new_claim) FROM ~chaos_witness w WHERE w.job = 'JOB' AND w.new = 'running')"
_REOPEN = "UPDATE ~jobs SET state = 'ready', finished_at = NULL WHERE id = 'JOB'"

FAULTS = (
    Fault("a committed job is gone", "nothing lost", _sql("piece", "DELETE FROM ~jobs WHERE id = 'JOB'")),
    Fault("an answer to a producer is not kept", "nothing lost", _no_answer),
    Fault("a job does not end", "nothing lost", _sql("piece", _REOPEN)),
    Fault("a healthy job fails", "nothing lost", _sql("piece", "UPDATE ~jobs SET state = 'failed' WHERE id = 'JOB'")),
    Fault("a job leaves its end", "legal path", _sql("piece", _REOPEN)),
    Fault(
        "a step is missing", "legal path",
        _sql("piece", "DELETE FROM ~chaos_witness WHERE job = 'JOB' AND new = 'running'"),
    ),
    Fault("a job ends twice", "ended once", _sql("piece", _AGAIN.replace("CLAIM", "1"))),
    Fault("two runs have one claim", "claims", _sql("piece", _AGAIN.replace("CLAIM", _FIRST_CLAIM))),
    Fault(
        "attempts beyond the most", "bounds",
        _sql("piece", "UPDATE ~jobs SET attempt = max_attempts + 1 WHERE id = 'JOB'"),
    ),
    Fault(
        "two attempts at once", "bounds", _sql("piece", "UPDATE ~jobs SET attempt = attempt + 2 WHERE id = 'JOB'")
    ),
    Fault("a claim begins twice", "runs", _lines("follow", lambda line: f"{line}\n{line}")),
    Fault(
        "a run without a claim", "runs",
        _lines("follow", lambda line: re.sub(r" 1 \d+ ", f" 1 {NO_CLAIM} ", line, count=1)),
    ),
    Fault("no run did the work", "runs", _lines("follow", lambda line: line.replace("end ", "note "))),
    Fault(
        "a result of another run", "runs",
        _sql("follow", """UPDATE ~results SET result = '{"claim": 1, "number": 0}' WHERE job_id = 'JOB'"""),
    ),
    Fault(
        "a late result", "no late write",
        _sql("follow", """UPDATE ~results SET result = '{"claim": 1, "number": 0}' WHERE job_id = 'JOB'"""),
    ),
    Fault(
        "a late progress", "no late write",
        _sql("follow", "INSERT INTO ~progress (job_id, message, at) VALUES ('JOB', 'claim 1', 1)"),
    ),
    Fault("a late text", "no late write", _streamed("UPDATE ~stream_chunks SET text = '1 late' WHERE job_id = 'JOB'")),
    Fault(
        "a text of two runs", "streams",
        _streamed("UPDATE ~stream_chunks SET text = text || '1 late' WHERE job_id = 'JOB'"),
    ),
    Fault(
        "a text with a gap", "streams", _streamed("UPDATE ~stream_chunks SET start = start + 1 WHERE job_id = 'JOB'"),
    ),
    Fault("a text is missing", "streams", _streamed("DELETE FROM ~stream_chunks WHERE job_id = 'JOB'")),
    Fault("a late event", "no late write", _late_event),
    Fault("a late enqueue", "no late write", _late_enqueue),
    Fault(
        "a late write not refused", "no late write", _lines("follow", lambda line: line.replace("begin ", "accepted ")),
    ),
    Fault("a loss without a name", "losses", _sql("piece", "UPDATE ~jobs SET losses = 1 WHERE id = 'JOB'")),
    Fault(
        "a loss where none may be", "losses", _sql("piece", "UPDATE ~jobs SET losses = 1 WHERE id = 'JOB'"),
        losses=False,
    ),
    Fault(
        "a fan-in starts twice", "fan-in",
        _sql(
            "collect",
            "UPDATE ~jobs SET state = 'blocked', finished_at = NULL WHERE id = 'JOB'; "
            "UPDATE ~jobs SET state = 'ready' WHERE id = 'JOB'",
        ),
    ),
    Fault(
        "a fan-in starts before its parents end", "fan-in",
        _sql("collect", "UPDATE ~chaos_witness SET seq = -1 WHERE job = 'JOB' AND old = 'blocked'"),
    ),
    Fault(
        "a fan-in runs before its parents' work", "fan-in",
        _lines("collect", lambda line: re.sub(r"^(begin .*) \d+ \.$", r"\1 1 .", line)),
    ),
    Fault(
        "a fan-in waits for fewer", "fan-in",
        _sql(
            "collect",
            "DELETE FROM ~edges WHERE child_id = 'JOB' AND parent_id = "
            "(SELECT e.parent_id FROM ~edges e WHERE e.child_id = 'JOB' ORDER BY 1 LIMIT 1)",
        ),
    ),
    Fault(
        "a fan-in sees fewer results", "fan-in",
        _sql("collect", """UPDATE ~results SET result = '{"claim": 1, "number": 0}' WHERE job_id = 'JOB'"""),
    ),
    Fault("a flow counts wrong", "flows", _flow("completed = completed - 1, failed = failed + 1")),
    Fault("a flow stays open", "flows", _flow("completed = completed - 1, open = open + 1")),
    Fault("a follow-up is missing", "hand-over", _without_follow_up),
    Fault("an event is missing", "events", _log("DELETE FROM ~events WHERE position = 1")),
    Fault("events in the wrong order", "events", _swapped),
    Fault(
        "an event without a position", "events", _log("UPDATE ~events SET position = NULL WHERE position = 1"),
        stores=("postgres",),
    ),
)  # fmt: skip
