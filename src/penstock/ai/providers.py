"""Providers by name. Each loads its vendor's library when it is first made, which takes a second or more."""

from importlib import import_module
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from penstock.ai.port import Provider
from penstock.errors import ConfigurationError

Wire = Literal["openai", "anthropic", "google"]
WIRES: Final[frozenset[str]] = frozenset(get_args(Wire))


def provider_from(
    name: str, *, model: str, api_key: str | None = None, base_url: str | None = None, wire: Wire | None = None
) -> Provider:
    """One model of a provider.

    `openai`, `anthropic` and `google` are reached at their own address unless `base_url` names another; any other name
    needs a `base_url` at which OpenAI's wire is spoken. `wire` says which wire it is, where the name does not. A key is
    needed for the vendors' own addresses. Nothing is sent yet. Raises ConfigurationError naming the argument that is
    wrong, or the extra that is missing.
    """
    spoken = wire or (name if name in WIRES else "openai")
    if spoken not in WIRES:
        raise ConfigurationError(f"wire: must be one of {', '.join(sorted(WIRES))}, not {wire!r}")
    if not model:
        raise ConfigurationError(f"model: name the model of {name!r}")
    if base_url is None and name != spoken:
        raise ConfigurationError(f"base_url: {name!r} is no provider with an address of its own; give one")
    if base_url is None and not api_key:
        raise ConfigurationError(f"api_key: {name!r} needs one")
    if base_url is not None and not (urlsplit(base_url).scheme in ("http", "https") and urlsplit(base_url).netloc):
        raise ConfigurationError(f"base_url: must begin with http:// or https:// and name a host, not {base_url!r}")
    try:
        vendor = import_module(f"penstock.ai.vendors.{spoken}")
    except ImportError as error:
        raise ConfigurationError(f"{name}: its library is missing: pip install 'penstock[ai]' ({error})") from error
    made: Provider = vendor.provider(name, model, api_key, base_url)
    return made
