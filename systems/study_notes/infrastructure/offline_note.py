"""Reading an assembled note back: its sentences and definitions, without pictures, labels and repetitions."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from penstock.ai.offline import (
    Definition,
    Lexicon,
    Section,
    body_texts,
    detect_language,
    find_definition,
    lexicon_for,
    parse_document,
    phrase_key,
    split_sentences,
    strong_terms,
)
from systems.study_notes.domain.labels import Labels, labels_for

_MISSING_REASON = re.compile(r"^>\s*(?:\(.*\)\s*)?$")


@dataclass(frozen=True, slots=True)
class NotePart:
    """A heading of the note with the sentences under it that did not occur before."""

    heading: str | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoteText:
    """A note as study material."""

    lexicon: Lexicon
    parts: tuple[NotePart, ...]
    definitions: tuple[Definition, ...]
    stressed: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """All sentences in order, each once."""
        return [sentence for part in self.parts for sentence in part.sentences]


def read_note(markdown: str, language: str | None) -> NoteText:
    """The study material in a note's Markdown. `stressed` are its headings and bold terms."""
    source = "\n".join(_study_lines(markdown, labels_for(language or detect_language(markdown))))
    document = parse_document(source)
    lexicon = lexicon_for(source, language)
    seen: set[str] = set()
    parts = [
        NotePart(section.heading or None, _new_sentences(section, seen))
        for section in (Section("", document.preamble), *document.walk())
    ]
    definitions: dict[tuple[str, ...], Definition] = {}
    for part in parts:
        for sentence in part.sentences:
            found = find_definition(sentence, lexicon)
            if found is not None:
                definitions.setdefault(phrase_key(found.term), found)
    headings = [section.heading for section in document.walk()]
    return NoteText(lexicon, tuple(parts), tuple(definitions.values()), (*headings, *strong_terms(source)))


def _study_lines(markdown: str, labels: Labels) -> Iterator[str]:
    """The note's lines but for pictures, their attribution, missing pictures, and the labels of boxes and lists."""
    kinds = {f"**{label}**" for label in asdict(labels).values()}
    missing = f"> **{labels.picture_missing}:**"
    in_missing = False
    for line in markdown.splitlines():
        in_missing = line.startswith(missing) or (in_missing and _MISSING_REASON.match(line) is not None)
        is_picture = line.startswith(("![", f"*{labels.picture_source}:"))
        if not (in_missing or is_picture or line.lstrip("> ") in kinds):
            yield line


def _new_sentences(section: Section, seen: set[str]) -> tuple[str, ...]:
    found = []
    for text in body_texts(section.body):
        for sentence in split_sentences(text):
            key = sentence.casefold().rstrip(".!?")
            if key not in seen:
                seen.add(key)
                found.append(sentence)
    return tuple(found)
