"""The study notes' model tasks done without a model, for `penstock.ai.OfflineModel`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from penstock.ai import ModelRequest
from penstock.ai.offline import (
    body_texts,
    distinct_phrases,
    lexicon_for,
    parse_document,
    rank_phrases,
    split_sentences,
    strong_terms,
    tokens,
)
from systems.study_notes.infrastructure.offline_flashcards import flashcards
from systems.study_notes.infrastructure.offline_lesson import lesson_structure
from systems.study_notes.infrastructure.offline_note import read_note
from systems.study_notes.infrastructure.offline_quiz import quiz_items
from systems.study_notes.infrastructure.offline_request import requested_language, source_text

Task = Callable[[ModelRequest], str]

MIN_TAGS, MAX_TAGS = 3, 5


def offline_tasks() -> Mapping[str, Task]:
    """The tasks by the names in `Task: NAME`; each answers JSON text in the shape that is asked of a model."""
    return {"lesson_structure": _lesson_structure, "tags": _tags, "quiz": _quiz, "flashcards": _flashcards}


def _lesson_structure(request: ModelRequest) -> str:
    return _json(lesson_structure(source_text(request.prompt_text), requested_language(request.prompt_text)))


def _tags(request: ModelRequest) -> str:
    text = source_text(request.prompt_text)
    return _json({"tags": tags(text, requested_language(request.prompt_text))})


def _quiz(request: ModelRequest) -> str:
    note = read_note(source_text(request.prompt_text), requested_language(request.prompt_text))
    return _json({"quiz": [asdict(item) for item in quiz_items(note)]})


def _flashcards(request: ModelRequest) -> str:
    note = read_note(source_text(request.prompt_text), requested_language(request.prompt_text))
    return _json({"flashcards": [asdict(card) for card in flashcards(note)]})


def tags(text: str, language: str | None) -> list[str]:
    """Three to five leading terms of `text`, no word in two of them; fewer when it has fewer words."""
    lexicon = lexicon_for(text, language)
    document = parse_document(text)
    headings = [title for title in (document.title, *(section.heading for section in document.walk())) if title]
    prose = [*body_texts(document.preamble), *(line for part in document.walk() for line in body_texts(part.body))]
    sentences = [*headings, *(sentence for line in prose for sentence in split_sentences(line))]
    phrases = rank_phrases(sentences, lexicon, boosts=[*headings, *strong_terms(text)])
    ranked = sorted(phrases, key=lambda phrase: not phrase.is_noun)
    found = [phrase.text for phrase in distinct_phrases(ranked, MAX_TAGS)]
    if len(found) >= MIN_TAGS:
        return found
    plain = (token.text.casefold() for token in tokens(text) if not token.is_number)
    return list(dict.fromkeys([*found, *plain]))[:MIN_TAGS]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
