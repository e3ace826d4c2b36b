from pathlib import Path

import pytest

from systems.common.settings import SettingsError
from systems.learning_plans import build
from systems.learning_plans.domain.doc_sites import DEFAULT_DOMAINS
from systems.learning_plans.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_those_of_the_specification() -> None:
    found = load_settings()
    assert (found.port, found.database_url, found.app_env) == (8001, "sqlite:///learning_plans.db", "development")
    assert (found.ai_provider, found.router_chain) == ("offline", ("google", "cloudflare"))
    assert (found.ai_timeout_base_ms, found.ai_timeout_extension_ms, found.extension_threshold_ms) == (
        30_000,
        15_000,
        25_000,
    )
    assert (found.attempt_cap, found.mock_start, found.mock_delay_ms, found.mock_failure_rate) == (3, 1, 7000, 0)
    assert (found.worker_poll_interval_ms, found.worker_concurrency) == (2000, 1)
    assert (found.worker_shutdown_timeout_ms, found.job_lease_ms) == (30_000, 60_000)
    assert (found.enable_curation, found.curation_concurrency, found.curation_time_budget_ms) == (None, 3, 30_000)
    assert (found.min_resource_score, found.max_results, found.docs_search_enabled) == (0.6, 3, False)
    assert found.docs_allowed_domains == DEFAULT_DOMAINS
    assert len(DEFAULT_DOMAINS) == 19
    assert (found.google_max_concurrency, found.google_call_spacing_ms, found.google_daily_limit) == (2, 8000, 1000)
    assert found.youtube_base_url == "https://www.googleapis.com/youtube/v3"
    assert found.google_cse_base_url == "https://www.googleapis.com/customsearch/v1"
    assert (found.mdn_base_url, found.stripe_base_url) == ("https://developer.mozilla.org", "https://api.stripe.com")
    assert found.plan_timeout_s == 120


@pytest.mark.parametrize(
    ("name", "bad", "default"),
    [
        ("WORKER_POLL_INTERVAL_MS", "9", 2000),
        ("WORKER_SHUTDOWN_TIMEOUT_MS", "999", 30_000),
        ("CURATION_TIME_BUDGET_MS", "10", 30_000),
        ("MAX_RESULTS", "11", 3),
        ("MIN_RESOURCE_SCORE", "1.01", 0.6),
        ("AI_TIMEOUT_BASE_MS", "half a minute", 30_000),
        ("PORT", "70000", 8001),
        ("MOCK_FAILURE_RATE", "-1", 0),
    ],
)
def test_a_number_that_cannot_be_used_falls_back_to_its_default_with_a_warning(
    name: str, bad: str, default: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, bad)
    assert getattr(load_settings(), name.lower()) == default
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert name in caplog.text


def test_the_largest_numbers_that_are_taken_let_the_system_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/p.db")
    for name in ("WORKER_POLL_INTERVAL_MS", "WORKER_SHUTDOWN_TIMEOUT_MS", "JOB_LEASE_MS", "WORKER_CONCURRENCY"):
        monkeypatch.setenv(name, "9" * 30)
    assert build().worker().get_stats().polls == 0
    most = {"WORKER_POLL_INTERVAL_MS": 60_000, "WORKER_CONCURRENCY": 1_000}
    for name, value in (most | dict.fromkeys(("WORKER_SHUTDOWN_TIMEOUT_MS", "JOB_LEASE_MS"), 86_400_000)).items():
        monkeypatch.setenv(name, str(value))
        assert getattr(load_settings(), name.lower()) == value
    assert build().worker().get_stats().polls == 0


def test_the_threshold_lies_five_seconds_before_the_base_time_and_not_below_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AI_TIMEOUT_BASE_MS", "4000")
    assert load_settings().extension_threshold_ms == 0
    monkeypatch.setenv("AI_TIMEOUT_BASE_MS", "20000")
    assert load_settings().extension_threshold_ms == 15_000
    monkeypatch.setenv("AI_TIMEOUT_EXTENSION_THRESHOLD_MS", "0")
    assert load_settings().extension_threshold_ms == 0


@pytest.mark.parametrize(
    ("chain", "enabled", "found"),
    [
        ("google", "false", ("google",)),
        ("google", "true", ("google", "openrouter")),
        ("openrouter,google", "false", ("openrouter", "google")),
        ("openrouter,google", "true", ("openrouter", "google")),
    ],
)
def test_openrouter_is_asked_when_it_is_enabled_or_named(
    chain: str, enabled: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_PROVIDER_CHAIN", chain)
    monkeypatch.setenv("ENABLE_OPENROUTER", enabled)
    assert load_settings().router_chain == found


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PROVIDER", "oracle")
    monkeypatch.setenv("STRIPE_BASE_URL", "stripe.com")
    with pytest.raises(SettingsError, match=r"AI_PROVIDER.*STRIPE_BASE_URL"):
        load_settings()


def test_keys_do_not_show_in_the_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOUTUBE_API_KEY", "GOOGLE_CSE_KEY", "STRIPE_API_KEY", "ADMIN_TOKEN"):
        monkeypatch.setenv(name, "very-secret")
    assert "very-secret" not in repr(load_settings())
