import lxml.etree
import pytest

from systems.study_notes.infrastructure.offline_picture import HEIGHT, WIDTH, offline_picture

SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture: str) -> lxml.etree._Element:
    """Strictly: a picture that is not well-formed is an error."""
    return lxml.etree.fromstring(picture.encode())


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in parsed(picture).iter(f"{SVG}text")]


def test_equal_words_give_equal_pictures_and_other_words_others() -> None:
    assert offline_picture("Wheel", "A wheel") == offline_picture("Wheel", "A wheel")
    assert offline_picture("Wheel", "A wheel") != offline_picture("Gear", "A wheel")


def test_the_picture_says_its_title_some_words_and_what_it_is() -> None:
    shown = texts(offline_picture("Overshot wheel", "Buckets filling near the crown"))
    assert shown == ["Overshot wheel", "buckets", "filling", "crown", "offline picture"]


@pytest.mark.parametrize(
    "concept", ["<script>alert(1)</script>", '"><image href="x"/>', "a & b", "]]>", "\x00\x1b\ud800"]
)
def test_everything_given_is_text_and_nothing_else(concept: str) -> None:
    root = parsed(offline_picture(concept, concept))
    assert root.attrib["viewBox"] == f"0 0 {WIDTH} {HEIGHT}"
    allowed = {f"{SVG}{tag}" for tag in ("svg", "title", "rect", "path", "g", "text", "circle", "ellipse")}
    assert {element.tag for element in root.iter()} <= allowed
    assert not any(name.startswith("on") or "href" in name for element in root.iter() for name in element.attrib)


def test_a_long_title_is_wrapped_and_then_cut() -> None:
    shown = texts(offline_picture("many words " * 40, ""))
    assert len(shown) == 5
    assert shown[3].endswith("…")


def test_an_endless_word_is_broken() -> None:
    shown = texts(offline_picture("W" * 60, ""))
    assert "".join(shown[:-1]) == "W" * 60


def test_wide_signs_take_their_room() -> None:
    assert max(len(line) for line in texts(offline_picture("水" * 30, ""))[:-1]) <= 15


@pytest.mark.parametrize(("concept", "description"), [("", ""), ("", "water"), ("  ", "\n")])
def test_missing_words_still_make_a_picture(concept: str, description: str) -> None:
    assert texts(offline_picture(concept, description))[-1] == "offline picture"


@pytest.mark.parametrize(
    "words",
    ["mill wheel", "river", "plant", "statistics", "planet", "network", "history", "mountain", "book", "x", "y"],
)
def test_every_drawing_is_well_formed(words: str) -> None:
    assert parsed(offline_picture(words, words)).tag == f"{SVG}svg"
