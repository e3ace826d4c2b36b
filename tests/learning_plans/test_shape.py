"""What the system's own code has to keep to."""

import ast
from pathlib import Path

import pytest

from systems.learning_plans.handlers.jobs import (
    METER_RETRY,
    PLAN_RETRY,
    JobRetention,
    PlanGeneration,
    PlanRegeneration,
    PlanStuckSweep,
    UsageMeterPush,
)
from systems.learning_plans.handlers.plan_curation_job import PlanCurationJob

SERVICES = Path(__file__).parents[2] / "systems" / "learning_plans" / "application" / "services"


@pytest.mark.parametrize(
    ("file", "name", "most"),
    [
        ("generation_service.py", "GenerationService", 200),
        ("persistence_service.py", "PersistenceService", 200),
        ("curation_service.py", "CurationService", 300),
    ],
)
def test_lp_22_services_stay_small(file: str, name: str, most: int) -> None:
    path = SERVICES / file
    [found] = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef) and node.name == name
    ]
    assert (found.end_lineno or 0) - found.lineno < most
    assert len(path.read_text().splitlines()) < most


@pytest.mark.parametrize(
    "file", sorted(SERVICES.parent.rglob("*.py")) + sorted((SERVICES.parents[1] / "domain").glob("*.py"))
)
def test_lp_22_services_and_rules_know_no_jobs_queues_or_databases(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert not name.startswith(("sqlalchemy", "fastapi", "httpx2")), name
            assert not name.startswith("penstock") or name.startswith("penstock.ai"), name
            assert ".handlers" not in name, name
            assert ".infrastructure" not in name, name


def test_the_kinds_have_the_options_that_are_specified() -> None:
    found = {
        kind.job_kind.kind: (kind.job_kind.queue, kind.job_kind.max_attempts, kind.job_kind.timeout_s)
        for kind in (
            PlanGeneration,
            PlanRegeneration,
            PlanCurationJob,
            UsageMeterPush,
            PlanStuckSweep,
            JobRetention,
        )
    }
    assert found == {
        "plan_generation": ("plans", 3, 120), "plan_regeneration": ("plans", 3, 120),
        "plan_curation": ("curation", 3, 600), "usage_meter_push": ("usage", 8, 15),
        "plan_stuck_sweep": ("maintenance", 1, 60), "job_retention": ("maintenance", 3, 300),
    }  # fmt: skip
    assert (PLAN_RETRY.base, PLAN_RETRY.factor, PLAN_RETRY.cap, PLAN_RETRY.jitter) == (2, 2, 300, 0.25)
    assert (METER_RETRY.base, METER_RETRY.factor, METER_RETRY.cap) == (5, 2, 3_600)
    assert UsageMeterPush.job_kind.retry is METER_RETRY
