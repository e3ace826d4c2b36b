"""Random operations of several actors on each store, compared step by step with a model in plain Python.

HYPOTHESIS_PROFILE=deep looks longer. A failure prints the steps that lead to it, and a blob that repeats it.
"""

import asyncio
import os
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from penstock import Queue
from penstock.domain.queue import Retention
from penstock.store.programs.change import put_queue
from tests.conformance.databases import Database
from tests.conformance.machine import Machine, Place
from tests.conformance.model_ground import AGING, KEPT, SECOND
from tests.conformance.tables import Reader
from tests.support.clock import MovableClock


def how_long() -> settings:
    """40 examples of 40 steps; with HYPOTHESIS_PROFILE=deep 1,000 of 80. The same ones each time where CI is set."""
    deep, ci = os.environ.get("HYPOTHESIS_PROFILE") == "deep", bool(os.environ.get("CI"))
    return settings(
        max_examples=1_000 if deep else 40,
        stateful_step_count=80 if deep else 40,
        deadline=None,
        derandomize=ci,
        print_blob=not ci,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(3600)
def test_every_step_leaves_what_the_model_says(database: Database):
    clock = MovableClock()
    store = database.new_store(clock)
    for name, aging in AGING.items():
        kept = {str(state): timedelta(microseconds=age) for state, age in KEPT[name].items()}
        ages: dict[str, Any] = {"completed": None, "failed": None, "cancelled": None} | kept
        retention = Retention(**ages)
        queue = Queue(aging=None if aging is None else aging / SECOND, retention=retention)
        store.run_sync(put_queue(name, queue))
    reader = Reader(database)
    # hypothesis calls it for each example: a function that makes a machine does as well as the class it asks for.
    make = cast("type[Machine]", lambda: Machine(Place(store, clock, reader)))
    try:
        run_state_machine_as_test(make, settings=how_long())
    finally:
        reader.close()
        asyncio.run(store.close())
