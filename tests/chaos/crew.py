"""The processes of a scenario, forked by a server that has imported everything: each starts in milliseconds."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerProcess
from typing import Any

from tests.chaos.app import Load, Orders, produce, work

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.app", "penstock.app", "penstock.store.postgres", "penstock.store.sqlite"])
END_S = 60.0
"""How long a process that was asked to end has for it."""


@dataclass(slots=True)
class Member:
    """A process, and how to make it anew. asked: somebody waits, or has waited, for its end."""

    name: str
    make: Callable[[], ForkServerProcess]
    process: ForkServerProcess
    asked: bool = False

    @property
    def pid(self) -> int:
        """Its process id."""
        if self.process.pid is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        os.kill(self.pid, number)

    def wait(self) -> int | None:
        """Its exit code, once it has ended: minus the signal that ended it; None when it does not end in time."""
        self.asked = True
        self.process.join(END_S)
        return self.process.exitcode

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.process.kill()
        self.process.join()

    def revive(self) -> None:
        """Start its successor."""
        self.process = self.make()


class ProcessFailed(Exception):
    """A process ended by itself where none should."""

    def __init__(self, member: Member) -> None:
        super().__init__(f"{member.name} ended with {member.process.exitcode}")


class Crew:
    """Workers and producers. As a context manager it leaves none behind."""

    def __init__(self, orders: Orders, seed: int) -> None:
        self._orders = orders
        self._seed = seed
        self.workers: list[Member] = []
        self.producers: list[Member] = []

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for member in (*self.workers, *self.producers):
            if member.lives:
                member.kill()

    def add_worker(self, **orders: Any) -> Member:
        """One more worker; `orders` differ from the crew's."""
        name = f"worker-{len(self.workers) + 1}"
        member = self._start(name, work, replace(self._orders, **orders), name)
        self.workers.append(member)
        return member

    def add_workers(self, count: int) -> list[Member]:
        """So many more."""
        return [self.add_worker() for _ in range(count)]

    def add_producers(self, count: int, load: Load) -> None:
        """So many producers that share a load."""
        for number in range(count):
            jobs, flows = _part(load.jobs, number, count), _part(load.flows, number, count)
            share = replace(load, jobs=jobs, flows=flows)
            name = f"producer-{number + 1}"
            self.producers.append(self._start(name, produce, self._orders, name, share, self._seed + number))

    @property
    def produces(self) -> bool:
        """Whether a producer has not done its part. Raises ProcessFailed when one has ended otherwise than well."""
        for producer in self.producers:
            if not producer.lives and producer.process.exitcode != 0:
                raise ProcessFailed(producer)
        return any(producer.lives for producer in self.producers)

    def replace_dead(self) -> int:
        """Start the successors of workers that were killed; answers how many. Raises ProcessFailed for other ends."""
        dead = [worker for worker in self.workers if not worker.lives]
        for worker in dead:
            if worker.process.exitcode != -signal.SIGKILL:
                raise ProcessFailed(worker)
            worker.revive()
        return len(dead)

    def end(self) -> dict[str, int | None]:
        """Ask all workers to end; their exit codes by name. Raises ProcessFailed for one that has ended unasked."""
        for worker in self.workers:
            if not worker.lives and not worker.asked:
                raise ProcessFailed(worker)
        living = [worker for worker in self.workers if worker.lives]
        for worker in living:
            worker.send(signal.SIGTERM)
        return {worker.name: worker.wait() for worker in living}

    def _start(self, name: str, target: Callable[..., None], *arguments: object) -> Member:
        def make() -> ForkServerProcess:
            process = _CONTEXT.Process(target=target, args=arguments, name=name, daemon=True)
            process.start()
            return process

        return Member(name, make, make())


def _part(whole: int, number: int, count: int) -> int:
    return whole // count + (number < whole % count)
