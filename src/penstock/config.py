"""Settings of an engine, from code or from the environment (`PENSTOCK_…`).

A plain model, not pydantic-settings: that costs 70 ms at every `import penstock`, for reading eight variables.
"""

import os

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from penstock.errors import ConfigurationError

MIB = 1024 * 1024
PREFIX = "PENSTOCK_"


class Settings(BaseModel):
    """What an engine is told. Durations are seconds, sizes bytes.

    `secret_keys` is a comma-separated list of `id:base64` keys of 32 bytes; the first seals, all open.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: str = "sqlite:///penstock.db"
    max_payload_bytes: int = Field(default=MIB, ge=1024, le=1024 * MIB)
    secret_keys: SecretStr = SecretStr("")
    lease_s: float = Field(default=30.0, ge=0.3, le=3600)
    poll_s: float = Field(default=1.0, ge=0.01, le=60)
    grace_s: float = Field(default=30.0, ge=0, le=86_400)
    prefetch: int = Field(default=3_200, ge=0, le=10_000)
    ledger_days: float = Field(default=400.0, ge=1, le=36_500)
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")


def load_settings(**given: object) -> Settings:
    """Settings from the environment, overridden by what is given (None: not given).

    Raises ConfigurationError naming the option, its variable and what would be right.
    """
    values: dict[str, object] = {
        name: os.environ[PREFIX + name.upper()] for name in Settings.model_fields if PREFIX + name.upper() in os.environ
    }
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigurationError(f"{name} ({PREFIX}{name.upper()}): {first['msg']}") from None
