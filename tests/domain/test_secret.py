import copy
import json
import pickle
import traceback
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from penstock.domain.job import JobData
from penstock.domain.secret import MASK, REVEAL, SEALED, Secret, masked

PLAIN = "hunter2"


class Fetch(JobData, kind="secret_fetch"):
    token: Secret[str]
    url: str = "x"


class Numbered(JobData, kind="secret_numbered"):
    pin: Secret[int]
    bare: Secret = Secret("unset")


def test_only_reveal_gives_the_value():
    assert Secret(PLAIN).reveal() == PLAIN


@pytest.mark.parametrize(
    "show", [repr, str, ascii, format, "{}".format, "{!r}".format, "%s".__mod__, lambda secret: f"{[secret]}"]
)
def test_no_way_of_printing_shows_the_value(show):
    assert PLAIN not in show(Secret(PLAIN))


def test_a_model_with_a_secret_shows_it_in_no_form():
    data = Fetch(token=Secret(PLAIN))
    for shown in (repr(data), str(data), data.model_dump_json(), str(data.model_dump()), json.dumps(data.model_dump())):
        assert PLAIN not in shown
    assert data.model_dump()["token"] == MASK


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol):
    with pytest.raises(TypeError, match="a Secret cannot be pickled"):
        pickle.dumps(Secret(PLAIN), protocol)
    with pytest.raises(TypeError, match="a Secret cannot be pickled"):
        pickle.dumps(Fetch(token=Secret(PLAIN)), protocol)


def test_a_secret_has_no_dictionary_and_json_refuses_it():
    assert not hasattr(Secret(PLAIN), "__dict__")
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(Secret(PLAIN))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_secret(copied):
    secret = Secret(PLAIN)
    assert copied(secret) is secret
    assert copied(Fetch(token=secret)).token.reveal() == PLAIN


@pytest.mark.parametrize(
    "data", [{"pin": PLAIN}, {"pin": {"is": PLAIN}}, {"pin": [PLAIN]}], ids=["text", "map", "list"]
)
def test_the_error_about_a_bad_secret_does_not_show_it(data):
    with pytest.raises(ValidationError) as caught:
        Numbered.model_validate(data)
    assert PLAIN not in "".join(traceback.format_exception(caught.value))


def test_the_error_about_another_field_does_not_show_the_secret():
    with pytest.raises(ValidationError) as caught:
        Fetch.model_validate({"token": PLAIN, "url": None})
    assert PLAIN not in str(caught.value)


def test_only_the_sealing_context_reveals_and_marks_the_value():
    data = Fetch(token=Secret(PLAIN))
    assert data.model_dump(context=REVEAL)["token"] == {SEALED: PLAIN}
    assert data.model_dump(context={"penstock": "other"})["token"] == MASK


def test_a_field_takes_the_plain_value_checked_or_a_secret():
    assert Numbered.model_validate({"pin": "12"}).pin.reveal() == 12
    assert Numbered(pin=Secret(12)).pin == Secret(12)
    assert Numbered.model_validate({"pin": 1, "bare": "text"}).bare.reveal() == "text"


def test_secrets_in_lists_and_nested_models_are_masked_too():
    class Inner(BaseModel):
        keys: list[Secret[str]]

    class Outer(JobData, kind="secret_outer"):
        inner: Inner

    outer = Outer(inner=Inner(keys=[Secret(PLAIN), Secret("other")]))
    assert outer.model_dump() == {"inner": {"keys": [MASK, MASK]}}


def test_secrets_are_equal_by_value_and_never_to_the_plain_value():
    assert Secret(PLAIN) == Secret(PLAIN)
    assert hash(Secret(PLAIN)) == hash(Secret(PLAIN))
    assert Secret(PLAIN) != Secret("other")
    assert Secret(PLAIN) != PLAIN
    assert hash(Secret(PLAIN)) != hash(PLAIN)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"a": {SEALED: PLAIN}, "b": 1}, {"a": MASK, "b": 1}),
        ([{"deep": [{SEALED: PLAIN}]}], [{"deep": [MASK]}]),
        ({SEALED: 1, "more": 2}, {SEALED: 1, "more": 2}),
        ("text", "text"),
        (None, None),
    ],
)
def test_stored_data_is_shown_with_a_mask_for_each_sealed_secret(stored: Any, shown: Any):
    assert masked(stored) == shown
