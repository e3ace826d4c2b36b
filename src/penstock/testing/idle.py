"""Running jobs until nothing is left to do."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from penstock.app import Penstock
from penstock.domain.queue import Queue
from penstock.errors import ConfigurationError
from penstock.registry import Registry
from penstock.store.base import Store
from penstock.store.program import Call, Steps, program
from penstock.store.programs.cancel import expire
from penstock.store.programs.claim import fall_due
from penstock.testing.clock import MovableClock
from penstock.worker import Worker, WorkerStats

_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the store says at one moment: work this worker can do, and when the next job is due (µs)."""

    left: tuple[str, ...]
    next_due: int | None


async def run_until_idle(
    engine: Penstock,
    handlers: Sequence[object] | Registry,
    *,
    queues: Mapping[str, Queue] | None = None,
    timeout_s: float = 30.0,
    clock: MovableClock | None = None,
    advance: bool = True,
) -> WorkerStats:
    """Run a real worker until nothing that it can do is ready or running, and answer what it did.

    Jobs of other queues and of kinds without a handler here, and those of paused queues, stay where they are. If the
    store's clock is a `MovableClock`, it is moved on to each time a scheduled job is due (a delay, a retry, a snooze),
    so that these run as well; with `advance=False`, and with a real clock, they wait for their time. `clock` is the
    store's, given to be sure of it.

        stats = await run_until_idle(engine, [SendMailHandler(mailbox)])
        assert stats.failed == 0

    Raises TimeoutError naming what is left after `timeout_s` seconds of real time, and ConfigurationError when `clock`
    is not the clock of the engine's store.
    """
    movable = _clock_of(engine.store, clock) if advance else None
    registry = handlers if isinstance(handlers, Registry) else Registry(handlers)
    served = queues.keys() if queues is not None else registry.queues
    worker = Worker(engine, registry, queues=queues, name="run-until-idle", handle_signals=False)
    await worker.start()
    left: tuple[str, ...] = ()
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                now = engine.store.clock.now()
                await engine.store.run(expire(now))
                # Looked at only after what was due has fallen, so that "idle" cannot miss a job whose time has come.
                await engine.store.run(fall_due(now))
                standing = await engine.store.read(_look(registry.kinds, served))
                left = standing.left
                if left:
                    await asyncio.sleep(_LOOK_S)
                elif movable is not None and standing.next_due is not None:
                    movable.move_to(max(standing.next_due, movable.now()))
                else:
                    break
    except TimeoutError:
        raise TimeoutError(f"not idle after {timeout_s:g} s: {', '.join(left) or 'jobs keep falling due'}") from None
    finally:
        await worker.stop(grace_s=0)
    return worker.get_stats()


def _clock_of(store: Store, given: MovableClock | None) -> MovableClock | None:
    own = store.clock if isinstance(store.clock, MovableClock) else None
    if given is not None and given is not own:
        raise ConfigurationError("clock= must be the clock that the engine's store was made with")
    return own


@program
def _look(kinds: Collection[str], queues: Collection[str]) -> Steps[_Standing]:
    paused = {row[0] for row in (yield Call("list_queues")) if row[1] is not None}
    ready = yield Call("list_kinds")
    counts = yield Call("open_counts")
    due = yield Call("next_due")
    open_ = set(queues) - paused
    left = [f"{kind} in {queue} is ready" for queue, kind in ready if queue in open_ and kind in kinds]
    left += [f"{row[2]} running in {row[0]}" for row in counts if row[1] == "running" and row[0] in queues]
    return _Standing(tuple(left), due[0][0] if due else None)
