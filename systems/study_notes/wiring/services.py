"""The services that read pictures, listen and fetch captions, as far as the settings have keys for them."""

import os

from penstock.ai import CallPolicy, Gate, ModelChain, ModelLimit, OfflineModel, Provider
from systems.common.models import limits_of, provider_of, variable_of
from systems.study_notes.infrastructure.ocr import MISTRAL_MODEL, MistralOcr
from systems.study_notes.infrastructure.offline_tasks import offline_tasks
from systems.study_notes.infrastructure.transcription import (
    ELEVENLABS_MODEL,
    OPENAI_MODEL,
    ElevenLabsSpeech,
    OpenAiSpeech,
)
from systems.study_notes.settings import Settings

_READS_PICTURES = "google"
# One call of each provider: what fails is tried again by the job, or by whoever asks. There is nothing to ask anew.
_POLICY = CallPolicy(tries=2, reask=False)


def call_limits(settings: Settings) -> list[ModelLimit]:
    """What `<NAME>_CALLS_PER_MINUTE` allows of every provider that is asked through the engine's gate."""
    services = (MistralOcr.name, _READS_PICTURES, ElevenLabsSpeech.name, OpenAiSpeech.name)
    return limits_of(dict.fromkeys((*settings.provider_chain(), *services)))


def model_of(settings: Settings, gate: Gate | None = None) -> ModelChain:
    """The chain of providers that the settings name, each call through `gate`.

    Raises ConfigurationError naming the variable that is missing.
    """
    return ModelChain([provider_of(name, _offline) for name in settings.provider_chain()], gate=gate)


def ocr_chain(settings: Settings, gate: Gate) -> ModelChain | None:
    """Mistral, then Gemini, those that have a key; None when neither has."""
    providers: list[Provider] = []
    if settings.mistral_api_key:
        key = settings.mistral_api_key.get_secret_value()
        providers.append(MistralOcr(settings.mistral_base_url, key, MISTRAL_MODEL))
    if os.environ.get(f"{variable_of(_READS_PICTURES)}_API_KEY"):
        providers.append(provider_of(_READS_PICTURES, _offline))
    return ModelChain(providers, policy=_POLICY, gate=gate) if providers else None


def speech_chains(settings: Settings, gate: Gate) -> list[ModelChain]:
    """ElevenLabs and OpenAI, in this order, each in a chain of its own, those that have a key."""
    providers: list[Provider] = []
    if settings.elevenlabs_api_key:
        key = settings.elevenlabs_api_key.get_secret_value()
        providers.append(ElevenLabsSpeech(settings.elevenlabs_base_url, key, ELEVENLABS_MODEL))
    if settings.openai_api_key:
        key = settings.openai_api_key.get_secret_value()
        providers.append(OpenAiSpeech(settings.openai_base_url, key, OPENAI_MODEL))
    return [ModelChain([provider], policy=_POLICY, gate=gate) for provider in providers]


def _offline() -> OfflineModel:
    return OfflineModel(offline_tasks())
