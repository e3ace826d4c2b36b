"""Configuration of learning plans: environment variables without a prefix, no `.env` file.

Names and defaults are those of the system's specification; an empty variable counts as unset. A number that cannot be
read or is out of range becomes its default, with a warning: it never stops the start.
"""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from systems.common.settings import FallingBackNumbers, Names, base_url, load, split_names
from systems.learning_plans.application.services.curation_service import CurationRules
from systems.learning_plans.domain.doc_sites import DEFAULT_DOMAINS

# The engine's own bounds: what lies beyond them is a mistake in writing, and must not stop the start.
_A_DAY_MS = 86_400_000
_LATER_THRESHOLD_MS = 5_000
# What a plan job may take besides its model: reading, shaping, storing.
_AROUND_THE_MODEL_MS = 75_000


class Settings(FallingBackNumbers):
    """All settings of the system. Lists are written with commas; times are in the unit the name ends with."""

    port: int = Field(8001, ge=0, le=65535)
    database_url: str = "sqlite:///learning_plans.db"
    app_env: str = "development"
    admin_token: SecretStr | None = None

    ai_provider: Literal["offline", "mock", "router"] = "offline"
    ai_provider_chain: Names = ("google", "cloudflare")
    enable_openrouter: bool = False
    ai_timeout_base_ms: int = Field(30_000, ge=1, le=_A_DAY_MS)
    ai_timeout_extension_ms: int = Field(15_000, ge=0, le=_A_DAY_MS)
    ai_timeout_extension_threshold_ms: int | None = Field(None, ge=0, le=_A_DAY_MS)
    attempt_cap: int = Field(3, ge=1)
    mock_start: int = Field(1, ge=0)
    mock_delay_ms: int = Field(7_000, ge=0, le=_A_DAY_MS)
    mock_failure_rate: float = Field(0.0, ge=0, le=1)

    worker_poll_interval_ms: int = Field(2_000, ge=10, le=60_000)
    worker_concurrency: int = Field(1, ge=1, le=1_000)
    worker_shutdown_timeout_ms: int = Field(30_000, ge=1_000, le=_A_DAY_MS)
    job_lease_ms: int = Field(60_000, ge=300, le=_A_DAY_MS)

    enable_curation: bool | None = None
    curation_concurrency: int = Field(3, ge=1)
    curation_time_budget_ms: int = Field(30_000, ge=1_000, le=_A_DAY_MS)
    min_resource_score: float = Field(0.6, ge=0, le=1)
    max_results: int = Field(3, ge=1, le=10)
    docs_search_enabled: bool = False
    docs_allowed_domains: Names = DEFAULT_DOMAINS
    # For local tests: links are then checked on this machine and its network, too.
    docs_allow_private_hosts: bool = False
    youtube_api_key: SecretStr | None = None
    youtube_base_url: str = "https://www.googleapis.com/youtube/v3"
    google_cse_key: SecretStr | None = None
    google_cse_id: str | None = None
    google_cse_base_url: str = "https://www.googleapis.com/customsearch/v1"
    mdn_base_url: str = "https://developer.mozilla.org"
    google_max_concurrency: int = Field(2, ge=1)
    google_call_spacing_ms: int = Field(8_000, ge=0)
    google_daily_limit: int = Field(1_000, ge=0)

    stripe_api_key: SecretStr | None = None
    stripe_base_url: str = "https://api.stripe.com"

    @field_validator("ai_provider_chain", "docs_allowed_domains", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return split_names(value)

    @field_validator("youtube_base_url", "google_cse_base_url", "mdn_base_url", "stripe_base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        return base_url(value)

    @property
    def extension_threshold_ms(self) -> int:
        """How early the first module must show: as set, else five seconds before the base time is over."""
        if self.ai_timeout_extension_threshold_ms is not None:
            return self.ai_timeout_extension_threshold_ms
        return max(0, self.ai_timeout_base_ms - _LATER_THRESHOLD_MS)

    @property
    def router_chain(self) -> tuple[str, ...]:
        """The providers to ask, in order; openrouter when it is enabled or named."""
        chain = self.ai_provider_chain
        if self.enable_openrouter and "openrouter" not in chain:
            return (*chain, "openrouter")
        return chain

    @property
    def curation_rules(self) -> CurationRules:
        """How tasks are curated."""
        return CurationRules(
            concurrency=self.curation_concurrency,
            time_budget=timedelta(milliseconds=self.curation_time_budget_ms),
            min_score=self.min_resource_score,
            max_results=self.max_results,
        )

    @property
    def plan_timeout_s(self) -> float:
        """How long a plan job may run, without curation."""
        return (self.ai_timeout_base_ms + self.ai_timeout_extension_ms + _AROUND_THE_MODEL_MS) / 1_000


def load_settings() -> Settings:
    """Settings from the environment. Raises `SettingsError` naming every variable that cannot be used."""
    return load(Settings)
