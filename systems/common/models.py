"""The model providers that a chain names, from the variables of each entry."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from penstock import ConfigurationError
from penstock.ai import ModelLimit, Provider
from penstock.ai.providers import WIRES, provider_from
from systems.common.settings import SettingsError, base_url

OFFLINE = "offline"
# Cloudflare's address holds the account's number, so that there is none for all.
_BASE_URLS = {
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
_MODELS = {
    "google": "gemini-2.0-flash",
    "openai": "gpt-4o-mini",
    "cloudflare": "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "openrouter": "google/gemini-2.0-flash-001",
}


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One entry of a model chain. `base_url` has no slash at its end; `calls_per_minute` None means no limit."""

    name: str
    api_key: SecretStr | None
    base_url: str | None
    model: str | None
    calls_per_minute: int | None


def provider_settings(name: str, environ: Mapping[str, str] = os.environ) -> ProviderSettings:
    """The variables `<NAME>_API_KEY`, `_BASE_URL`, `_MODEL`, `_CALLS_PER_MINUTE` of one chain entry.

    NAME is the entry in capitals, other signs than letters and digits as `_`. Raises `SettingsError` naming the
    variable when its value cannot be used.
    """
    prefix = variable_of(name)
    key = environ.get(f"{prefix}_API_KEY")
    url = environ.get(f"{prefix}_BASE_URL") or _BASE_URLS.get(name.lower())
    return ProviderSettings(
        name=name,
        api_key=SecretStr(key) if key else None,
        base_url=_checked_url(f"{prefix}_BASE_URL", url) if url else None,
        model=environ.get(f"{prefix}_MODEL") or _MODELS.get(name.lower()),
        calls_per_minute=_positive(f"{prefix}_CALLS_PER_MINUTE", environ),
    )


def limits_of(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> list[ModelLimit]:
    """The limits that `<NAME>_CALLS_PER_MINUTE` sets for providers of these names, kept by the engine's gate for all
    processes together. Raises `SettingsError` naming the variable when its value cannot be used."""
    found = {name: _positive(f"{variable_of(name)}_CALLS_PER_MINUTE", environ) for name in names}
    return [ModelLimit(name, requests=most) for name, most in found.items() if most is not None]


def variable_of(name: str) -> str:
    """How the variables of one chain entry begin."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def provider_of(name: str, offline: Callable[[], Provider], environ: Mapping[str, str] = os.environ) -> Provider:
    """The provider of a chain entry; `offline` makes the one called so.

    Raises ConfigurationError naming the variable that is missing, `SettingsError` one that cannot be used.
    """
    if name == OFFLINE:
        return offline()
    found = provider_settings(name, environ)
    variable = variable_of(name)
    named = f"{name!r} in AI_PROVIDER_CHAIN needs"
    if found.base_url is None and name not in WIRES:
        raise ConfigurationError(f"{variable}_BASE_URL: {named} the address at which it speaks OpenAI's wire")
    if found.model is None:
        raise ConfigurationError(f"{variable}_MODEL: {named} the name of a model")
    if found.api_key is None and name in WIRES:
        raise ConfigurationError(f"{variable}_API_KEY: {named} a key; to do without, set AI_PROVIDER_CHAIN={OFFLINE}")
    return provider_from(
        name,
        model=found.model,
        api_key=found.api_key.get_secret_value() if found.api_key else None,
        base_url=found.base_url,
        wire="openai" if found.base_url else None,
    )


def _positive(variable: str, environ: Mapping[str, str]) -> int | None:
    text = environ.get(variable)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{variable}: must be a whole number of at least 1, got {text!r}")
    return int(text)


def _checked_url(variable: str, value: str) -> str:
    try:
        return base_url(value)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}, got {value!r}") from error
