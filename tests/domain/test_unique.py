from datetime import timedelta

import pytest

from penstock.domain.unique import MAX_KEY, Unique, UniqueScope
from penstock.errors import InvalidJob

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("unique", "scope", "expires_at"),
    [
        (Unique("plan:42"), UniqueScope.ACTIVE, None),
        (Unique("plan:42", period=HOUR), UniqueScope.PERIOD, 1_000 + 3_600_000_000),
        (Unique("plan:42", forever=True), UniqueScope.FOREVER, None),
        (Unique("plan:42", replace=True), UniqueScope.ACTIVE, None),
    ],
)
def test_how_long_a_key_is_held(unique, scope, expires_at):
    assert unique.scope is scope
    assert unique.expires_at(1_000) == expires_at


@pytest.mark.parametrize("key", ["a", "x" * MAX_KEY, "Übung 7", "a,b"])
def test_any_printable_text_is_a_key(key):
    assert Unique(key).key == key


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY + 1), "a\nb", "a\0b"])
def test_an_empty_a_long_or_an_unprintable_key_is_refused(key):
    with pytest.raises(InvalidJob, match=f"unique key must have 1 to {MAX_KEY} printable characters"):
        Unique(key)


def test_the_error_about_a_long_key_is_short():
    with pytest.raises(InvalidJob) as caught:
        Unique("x" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "options", [{"period": timedelta(0)}, {"period": -HOUR}, {"period": HOUR, "forever": True}], ids=str
)
def test_a_period_must_be_positive_and_stand_alone(options):
    with pytest.raises(InvalidJob, match="either a positive period or forever=True"):
        Unique("k", **options)
