"""Settings of an engine, from code or from the environment (`PENSTOCK_…`)."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from penstock.errors import ConfigurationError

MIB = 1024 * 1024


class Settings(BaseSettings):
    """What an engine is told. Durations are seconds, sizes bytes.

    `secret_keys` is a comma-separated list of `id:base64` keys of 32 bytes; the first seals, all open.
    """

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_", extra="forbid", frozen=True)

    database_url: str = "sqlite:///penstock.db"
    max_payload_bytes: int = Field(default=MIB, ge=1024, le=1024 * MIB)
    secret_keys: Annotated[SecretStr, NoDecode] = SecretStr("")
    lease_s: float = Field(default=30.0, ge=0.3, le=3600, description="how long a worker may be silent before its jobs are taken")
    poll_s: float = Field(default=1.0, ge=0.05, le=60, description="how often a worker looks for work when nothing woke it")
    grace_s: float = Field(default=30.0, ge=0, le=86_400, description="how long a stopping worker waits for running jobs")
    prefetch: int = Field(default=200, ge=0, le=10_000, description="jobs claimed ahead of free slots per worker process")
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")


def load_settings(**given: object) -> Settings:
    """Settings from the environment, overridden by what is given (None: not given).

    Raises ConfigurationError naming the variable and what would be right.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigurationError(f"{name} (PENSTOCK_{name.upper()}): {first['msg']}") from None
