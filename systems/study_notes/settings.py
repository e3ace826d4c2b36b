"""Configuration of study notes: environment variables without a prefix, no `.env` file.

Names and defaults are those of the system's specification; an empty variable counts as unset.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from systems.common.models import OFFLINE, variable_of
from systems.common.settings import Names, SystemSettings, base_url, load, split_names

_KEYED_CHAIN = ("google", "openai")


class Settings(SystemSettings):
    """All settings of the system. Lists are written with commas; times are in the unit the name ends with."""

    port: int = Field(8002, ge=0, le=65535)
    database_url: str = "sqlite:///study_notes.db"
    note_queue_name: str = Field("note-processing", min_length=1)
    worker_concurrency: int = Field(5, ge=1)
    queue_rate_per_second: int = Field(100, ge=1)
    job_attempts: int = Field(3, ge=1)
    job_backoff_ms: int = Field(1000, ge=0)
    shutdown_grace_ms: int = Field(30000, ge=0)

    ai_provider_chain: Names = ()
    ai_timeout_ms: int = Field(60000, ge=1)
    chunk_max_chars: int = Field(24000, ge=100)
    files_dir: Path = Path("./data/study_notes")

    serpapi_key: SecretStr | None = None
    serpapi_base_url: str = "https://serpapi.com"
    serper_key: SecretStr | None = None
    serper_base_url: str = "https://google.serper.dev"
    image_provider: Literal["auto", "none", "serpapi", "serper", "offline"] = "auto"
    image_min_score: float = Field(0.15, ge=0, le=1)
    image_results: int = Field(5, ge=1, le=100)
    image_blocked_hosts: Names = ("lookaside.fbsbx.com",)
    image_allow_private_hosts: bool = False

    youtube_captions_base_url: str = "https://www.youtube.com"
    mistral_api_key: SecretStr | None = None
    mistral_base_url: str = "https://api.mistral.ai/v1"
    elevenlabs_api_key: SecretStr | None = None
    elevenlabs_base_url: str = "https://api.elevenlabs.io/v1"
    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"

    quiz_min: int = Field(3, ge=1)
    quiz_max: int = Field(10, ge=1)
    flashcards_min: int = Field(3, ge=1)
    flashcards_max: int = Field(30, ge=1)
    audio_chunk_s: int = Field(300, ge=1)
    audio_parallel: int = Field(12, ge=1)

    @field_validator("ai_provider_chain", "image_blocked_hosts", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return split_names(value)

    @field_validator(
        "serpapi_base_url",
        "serper_base_url",
        "youtube_captions_base_url",
        "mistral_base_url",
        "elevenlabs_base_url",
        "openai_base_url",
    )
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        return base_url(value)

    @field_validator("quiz_max", "flashcards_max")
    @classmethod
    def _not_below_minimum(cls, value: int, info: ValidationInfo) -> int:
        field = str(info.field_name).replace("_max", "_min")
        minimum = info.data.get(field, value)  # absent when the minimum itself was refused
        if value < minimum:
            raise ValueError(f"must not be below {field.upper()} ({minimum})")
        return value

    def provider_chain(self, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
        """The model providers to ask, in order: `AI_PROVIDER_CHAIN` when set, else those of google and openai that
        have a key, else the offline model alone."""
        if self.ai_provider_chain:
            return self.ai_provider_chain
        keyed = tuple(name for name in _KEYED_CHAIN if environ.get(f"{variable_of(name)}_API_KEY"))
        return keyed or (OFFLINE,)


def load_settings() -> Settings:
    """Settings from the environment. Raises `SettingsError` naming every variable that cannot be used."""
    return load(Settings)
