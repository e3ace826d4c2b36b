import logging

import pytest
from pydantic import Field, SecretStr

from systems.common.settings import FallingBackNumbers, Names, SettingsError, base_url, load


class Some(FallingBackNumbers):
    some_poll_ms: int = Field(2000, ge=10)
    some_score: float = Field(0.6, ge=0, le=1)
    some_limit: int | None = None
    some_on: bool = False
    some_key: SecretStr | None = None


@pytest.mark.parametrize("value", ["soon", "9", "1.5", "-3", "1e3x"])
def test_a_number_that_cannot_be_used_becomes_the_default_with_a_warning(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOME_POLL_MS", value)
    assert load(Some).some_poll_ms == 2000
    [warning] = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.getMessage().startswith(f"SOME_POLL_MS: {value!r} cannot be used, the default 2000 is: ")


@pytest.mark.parametrize(("value", "found"), [("2", 0.6), ("nan", 0.6), ("0.25", 0.25), ("1", 1.0)])
def test_fractions_fall_back_as_well(value: str, found: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SCORE", value)
    assert load(Some).some_score == found


def test_an_optional_number_falls_back_to_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_LIMIT", "many")
    assert load(Some).some_limit is None


def test_what_is_no_number_is_refused_and_a_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_ON", "perhaps")
    with pytest.raises(SettingsError, match=r"SOME_ON: .*'perhaps'"):
        load(Some)


def test_good_numbers_are_taken_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOME_POLL_MS", "10")
    assert load(Some).some_poll_ms == 10
    assert not caplog.records


@pytest.mark.parametrize("value", ["example.com", "ftp://example.com", "https:///path", ""])
def test_an_address_without_scheme_or_host_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        base_url(value)


def test_names_is_a_tuple_of_texts() -> None:
    class Chained(FallingBackNumbers):
        chain: Names = ("a",)

    assert Chained().chain == ("a",)
