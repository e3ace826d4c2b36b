from pathlib import Path

import pytest

from systems.common.models import limits_of, provider_settings
from systems.common.settings import SettingsError
from systems.study_notes.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*Settings.model_fields, "google_api_key", "google_base_url", "google_model"]:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_those_of_the_specification() -> None:
    settings = load_settings()
    assert settings.port == 8002
    assert settings.database_url == "sqlite:///study_notes.db"
    assert settings.note_queue_name == "note-processing"
    assert (settings.worker_concurrency, settings.queue_rate_per_second) == (5, 100)
    assert (settings.job_attempts, settings.job_backoff_ms, settings.shutdown_grace_ms) == (3, 1000, 30000)
    assert (settings.ai_timeout_ms, settings.chunk_max_chars) == (60000, 24000)
    assert settings.files_dir == Path("data/study_notes")
    assert (settings.image_provider, settings.image_min_score, settings.image_results) == ("auto", 0.15, 5)
    assert settings.image_blocked_hosts == ("lookaside.fbsbx.com",)
    assert settings.image_allow_private_hosts is False
    assert (settings.quiz_min, settings.quiz_max, settings.flashcards_min, settings.flashcards_max) == (3, 10, 3, 30)
    assert (settings.audio_chunk_s, settings.audio_parallel) == (300, 12)


def test_environment_overrides_defaults_and_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ATTEMPTS", "7")
    monkeypatch.setenv("IMAGE_BLOCKED_HOSTS", "One.example, two.example")
    monkeypatch.setenv("SERPER_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("SERPER_KEY", "")
    settings = load_settings()
    assert settings.job_attempts == 7
    assert settings.image_blocked_hosts == ("one.example", "two.example")
    assert settings.serper_base_url == "http://127.0.0.1:9"
    assert settings.serper_key is None


def test_a_dotenv_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=1234\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().port == 8002


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("JOB_ATTEMPTS", "three", "JOB_ATTEMPTS: "),
        ("WORKER_CONCURRENCY", "0", "WORKER_CONCURRENCY: input should be greater than or equal to 1, got '0'"),
        ("IMAGE_PROVIDER", "bing", "IMAGE_PROVIDER: "),
        ("SERPAPI_BASE_URL", "serpapi.com", "SERPAPI_BASE_URL: must begin with http:// or https://"),
        ("QUIZ_MAX", "2", "QUIZ_MAX: must not be below QUIZ_MIN (3)"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_bad_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ATTEMPTS", "x")
    monkeypatch.setenv("PORT", "99999")
    with pytest.raises(SettingsError, match=r"PORT.*JOB_ATTEMPTS"):
        load_settings()


def test_the_chain_is_offline_without_keys_and_the_keyed_providers_with_them() -> None:
    settings = load_settings()
    assert settings.provider_chain({}) == ("offline",)
    assert settings.provider_chain({"OPENAI_API_KEY": "k"}) == ("openai",)
    assert settings.provider_chain({"OPENAI_API_KEY": "k", "GOOGLE_API_KEY": "g"}) == ("google", "openai")


def test_a_given_chain_wins_over_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PROVIDER_CHAIN", "Local, offline")
    assert load_settings().provider_chain({"OPENAI_API_KEY": "k"}) == ("local", "offline")


def test_provider_settings_come_from_the_variables_of_the_entry() -> None:
    found = provider_settings(
        "my-model",
        {"MY_MODEL_API_KEY": "k", "MY_MODEL_BASE_URL": "http://x/v1/", "MY_MODEL_CALLS_PER_MINUTE": "30"},
    )
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "k"
    assert (found.base_url, found.model, found.calls_per_minute) == ("http://x/v1", None, 30)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_bad_calls_per_minute_are_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_CALLS_PER_MINUTE"):
        provider_settings("openai", {"OPENAI_CALLS_PER_MINUTE": value})


def test_keys_do_not_show_in_the_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERPAPI_KEY", "very-secret")
    assert "very-secret" not in repr(load_settings())


def test_calls_per_minute_become_limits_of_every_provider_that_has_some() -> None:
    environ = {"MISTRAL_CALLS_PER_MINUTE": "60", "MY_GATEWAY_CALLS_PER_MINUTE": "5", "OTHER_CALLS_PER_MINUTE": "1"}
    found = limits_of(["my-gateway", "mistral", "elevenlabs"], environ)
    assert [(limit.provider, limit.model, limit.requests) for limit in found] == [
        ("my-gateway", None, 5), ("mistral", None, 60),
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="MISTRAL_CALLS_PER_MINUTE"):
        limits_of(["mistral"], {"MISTRAL_CALLS_PER_MINUTE": "many"})
