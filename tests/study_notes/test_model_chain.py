"""The chain of models that the settings name, over the wire."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from penstock import ConfigurationError
from penstock.ai import ModelFailure, ModelRequest, answer_or_raise
from penstock.testing.model_server import ModelServer
from systems.study_notes.application.ai_service import AiService
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.settings import load_settings
from systems.study_notes.wiring.services import model_of

REQUEST = ModelRequest("Task: tags", "Water turns the wheel.", json=True, max_output_tokens=100)


@pytest.fixture
async def google() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def openai() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
def keyed(google: ModelServer, openai: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, server in (("GOOGLE", google), ("OPENAI", openai)):
        monkeypatch.setenv(f"{name}_API_KEY", f"key of {name}")
        monkeypatch.setenv(f"{name}_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_MODEL", "gpt-test")


@pytest.mark.usefixtures("keyed")
async def test_with_keys_google_is_asked_and_openai_when_it_fails(google: ModelServer, openai: ModelServer) -> None:
    google.answer('{"tags": ["mill"]}')
    google.fail(503)
    openai.answer('{"tags": ["wheel"]}')
    chain = model_of(load_settings())
    answers = [answer_or_raise(await chain.ask(REQUEST)) for _ in range(2)]
    await chain.close()
    assert [(one.provider, one.model, one.text, one.offline) for one in answers] == [
        ("google", "gemini-2.0-flash", '{"tags": ["mill"]}', False),
        ("openai", "gpt-test", '{"tags": ["wheel"]}', False),
    ]
    assert [one.headers["authorization"] for one in (google.requests[0], openai.requests[0])] == [
        "Bearer key of GOOGLE", "Bearer key of OPENAI",
    ]  # fmt: skip
    assert google.requests[0].json["response_format"] == {"type": "json_object"}


@pytest.mark.usefixtures("keyed")
async def test_sn_25_a_limit_is_a_failure_that_names_its_time_and_a_refusal_is_for_good(
    google: ModelServer, openai: ModelServer
) -> None:
    chain = model_of(load_settings())
    service = AiService(chain)
    google.fail(500)
    openai.fail(429, retry_after=3)
    with pytest.raises(StageError) as limited:
        await service.generate_tags("Water turns the wheel.", "eng")
    google.fail(401)
    openai.fail(400, code="content_filter")
    with pytest.raises(PermanentSourceError, match="content filter"):
        await service.generate_tags("Water turns the wheel.", "eng")
    await chain.close()
    assert limited.value.retry_after_s == 3


async def test_the_offline_model_can_be_the_last_of_a_chain(
    google: ModelServer, keyed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_PROVIDER_CHAIN", "google,offline")
    google.fail(503)
    chain = model_of(load_settings())
    prompt = "Language: eng\n<source_text>\nWater turns the wheel of the mill.\n</source_text>"
    answer = answer_or_raise(await chain.ask(ModelRequest("Task: tags", prompt, json=True)))
    await chain.close()
    assert (answer.provider, answer.offline) == ("offline", True)


async def test_any_address_that_speaks_openais_wire_can_be_named(
    google: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_PROVIDER_CHAIN", "my-own")
    monkeypatch.setenv("MY_OWN_BASE_URL", google.base_url)
    monkeypatch.setenv("MY_OWN_MODEL", "llama")
    google.answer("{}")
    chain = model_of(load_settings())
    outcome = await chain.ask(REQUEST)
    await chain.close()
    assert not isinstance(outcome, ModelFailure)
    assert (outcome.provider, google.requests[0].json["max_tokens"]) == ("my-own", 100)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AI_PROVIDER_CHAIN": "google"}, "GOOGLE_API_KEY: 'google' in AI_PROVIDER_CHAIN needs a key"),
        ({"AI_PROVIDER_CHAIN": "local", "LOCAL_MODEL": "m"}, "LOCAL_BASE_URL: 'local' in AI_PROVIDER_CHAIN needs the"),
        ({"AI_PROVIDER_CHAIN": "local", "LOCAL_BASE_URL": "http://x/v1"}, "LOCAL_MODEL: 'local' in AI_PROVIDER_CHAIN"),
        ({"AI_PROVIDER_CHAIN": "anthropic", "ANTHROPIC_API_KEY": "k"}, "ANTHROPIC_MODEL: 'anthropic'"),
    ],
)
def test_what_a_provider_lacks_is_named(variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        model_of(load_settings())


def test_without_keys_no_library_of_a_provider_is_loaded() -> None:
    code = """
import sys
from systems.study_notes.settings import Settings
from systems.study_notes.wiring.services import model_of
model_of(Settings(ai_provider_chain=("offline",)))
print(*{name.partition(".")[0] for name in sys.modules} & {"pydantic_ai", "openai", "anthropic", "google"})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
