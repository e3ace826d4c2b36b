"""Configuration of systems: environment variables without a prefix, no `.env` file; empty ones count as unset."""

import logging
import re
from typing import Annotated, Any, TypeVar

from pydantic import ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

logger = logging.getLogger(__name__)

Names = Annotated[tuple[str, ...], NoDecode]
"""A list written with commas; see `split_names`."""


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the text names each such variable and what would be right."""


class SystemSettings(BaseSettings):
    """Base of a system's settings."""

    model_config = SettingsConfigDict(env_file=None, env_ignore_empty=True, extra="ignore", frozen=True)


class FallingBackNumbers(SystemSettings):
    """Base of settings whose numbers never stop the start: one that cannot be read or is out of range becomes the
    default, and a warning names it. Other values are refused as usual."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _fall_back(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        field = cls.model_fields[str(info.field_name)]
        try:
            return handler(value)
        except ValidationError as error:
            if field.annotation not in (int, float, int | None, float | None):
                raise
            name, default = str(info.field_name).upper(), field.get_default(call_default_factory=True)
            reason = error.errors()[0]["msg"]
            logger.warning(
                "%s: %r cannot be used, the default %s is: %s", name, value, default, reason[:1].lower() + reason[1:]
            )
            return default


S = TypeVar("S", bound=SystemSettings)


def load(kind: type[S]) -> S:
    """Settings from the environment. Raises `SettingsError` naming every variable that cannot be used."""
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(detail) for detail in error.errors())) from error


def split_names(value: object) -> object:
    """`A, b` becomes `("a", "b")`; for a validator of `Names` (mode `before`)."""
    if isinstance(value, str):
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return value


def base_url(value: str) -> str:
    """An address without a slash at its end. Raises ValueError when it is none."""
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def _problem(detail: ErrorDetails) -> str:
    variable = ".".join(str(part) for part in detail["loc"]).upper()
    message = detail["msg"].removeprefix("Value error, ")
    # Keys and tokens are never repeated in an error; numbers and choices are, so that the mistake is seen.
    shown = "" if variable.endswith(("KEY", "TOKEN")) else f", got {detail['input']!r}"
    return f"{variable}: {message[0].lower()}{message[1:]}{shown}"
