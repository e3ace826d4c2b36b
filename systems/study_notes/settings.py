"""Configuration of study notes: environment variables without a prefix, no `.env` file.

Names and defaults are those of the system's specification; an empty variable counts as unset.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

OFFLINE = "offline"
_KEYED_CHAIN = ("google", "openai")
_DEFAULT_BASE_URLS = {
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openai": "https://api.openai.com/v1",
}
_DEFAULT_MODELS = {"google": "gemini-2.0-flash", "openai": "gpt-4o-mini"}

Names = Annotated[tuple[str, ...], NoDecode]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the text names each such variable and what would be right."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One entry of the model chain. `base_url` has no slash at its end; `calls_per_minute` None means no limit."""

    name: str
    api_key: SecretStr | None
    base_url: str | None
    model: str | None
    calls_per_minute: int | None


class Settings(BaseSettings):
    """All settings of the system. Lists are written with commas; times are in the unit the name ends with."""

    model_config = SettingsConfigDict(env_file=None, env_ignore_empty=True, extra="ignore", frozen=True)

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
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

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
        return _base_url(value)

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
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(detail) for detail in error.errors())) from error


def provider_settings(name: str, environ: Mapping[str, str] = os.environ) -> ProviderSettings:
    """The variables `<NAME>_API_KEY`, `_BASE_URL`, `_MODEL`, `_CALLS_PER_MINUTE` of one chain entry.

    NAME is the entry in capitals, other signs than letters and digits as `_`. Raises `SettingsError` naming the
    variable when its value cannot be used.
    """
    prefix = variable_of(name)
    key = environ.get(f"{prefix}_API_KEY")
    base_url = environ.get(f"{prefix}_BASE_URL") or _DEFAULT_BASE_URLS.get(name.lower())
    return ProviderSettings(
        name=name,
        api_key=SecretStr(key) if key else None,
        base_url=_checked_base_url(f"{prefix}_BASE_URL", base_url) if base_url else None,
        model=environ.get(f"{prefix}_MODEL") or _DEFAULT_MODELS.get(name.lower()),
        calls_per_minute=_positive(f"{prefix}_CALLS_PER_MINUTE", environ),
    )


def variable_of(name: str) -> str:
    """How the variables of one chain entry begin."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _positive(variable: str, environ: Mapping[str, str]) -> int | None:
    text = environ.get(variable)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{variable}: must be a whole number of at least 1, got {text!r}")
    return int(text)


def _checked_base_url(variable: str, value: str) -> str:
    try:
        return _base_url(value)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}, got {value!r}") from error


def _base_url(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def _problem(detail: ErrorDetails) -> str:
    variable = ".".join(str(part) for part in detail["loc"]).upper()
    message = detail["msg"].removeprefix("Value error, ")
    # Keys and tokens are never repeated in an error; numbers and choices are, so that the mistake is seen.
    shown = "" if variable.endswith("KEY") else f", got {detail['input']!r}"
    return f"{variable}: {message[0].lower()}{message[1:]}{shown}"
