import pytest
from pydantic import ValidationError

from penstock.domain.events import Event
from penstock.errors import ConfigurationError


class NoteAssembled(Event, type="note.assembled", stream="notes"):
    note_id: int


class NoteRead(Event, type="note.read"):
    note_id: int


def test_a_type_and_a_stream_are_declared_with_the_class():
    assert (NoteAssembled.event_type, NoteAssembled.event_stream) == ("note.assembled", "notes")
    assert (NoteRead.event_type, NoteRead.event_stream) == ("note.read", "default")


def test_a_subclass_has_its_parents_type_and_stream_until_it_names_its_own():
    class Richer(NoteAssembled):
        words: int = 0

    class Elsewhere(NoteAssembled, type="note.moved", stream="moves"):
        pass

    assert (Richer.event_type, Richer.event_stream) == ("note.assembled", "notes")
    assert (Elsewhere.event_type, Elsewhere.event_stream) == ("note.moved", "moves")


def test_an_event_without_a_type_is_refused():
    with pytest.raises(ConfigurationError, match=r"event Nameless needs a type"):

        class Nameless(Event):
            pass


@pytest.mark.parametrize("options", [{"type": "a,b"}, {"type": ""}, {"type": "a", "stream": "x\ny"}], ids=str)
def test_a_bad_type_or_stream_is_refused(options):
    with pytest.raises(ConfigurationError, match="must be 1 to 200 printable characters"):
        type("Bad", (Event,), {"__module__": __name__}, **options)


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="event Odd: unknown option 'strem'; known: type, stream"):
        type("Odd", (Event,), {"__module__": __name__}, type="odd", strem="x")


@pytest.mark.parametrize("field", ["note_id"])
def test_an_event_cannot_be_changed(field):
    event = NoteAssembled(note_id=1)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(event, field, 2)


@pytest.mark.parametrize("data", [b'{"note_id":7}', '{"note_id":7,"added_later":true}'])
def test_an_event_is_read_from_json_also_of_a_newer_writer(data):
    assert NoteAssembled.from_data(data) == NoteAssembled(note_id=7)


def test_an_event_that_lacks_a_field_is_refused():
    with pytest.raises(ValidationError, match="note_id"):
        NoteAssembled.from_data(b"{}")
