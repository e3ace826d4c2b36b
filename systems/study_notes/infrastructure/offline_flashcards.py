"""Flashcards out of a note: its definitions, then what it says about its sections and leading terms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.ai.offline import (
    Lexicon,
    best_sentences,
    distinct_phrases,
    phrase_key,
    rank_phrases,
    rank_sentences,
    tokens,
    word_key,
)
from systems.study_notes.infrastructure.offline_cues import CONCLUSION
from systems.study_notes.infrastructure.offline_note import NotePart, NoteText

MAX_CARDS = 30
_MIN_CARDS = 3
_WORDS_PER_CARD = 110
_MIN_WORDS = 4
_PHRASES = 60
_HEADING_WORDS = 4
_EARLY = 5


@dataclass(frozen=True, slots=True)
class Flashcard:
    """A term and what the note says about it."""

    term: str
    definition: str


def flashcards(note: NoteText) -> list[Flashcard]:
    """Three to thirty cards, about one in 110 words, best sources first; no term and no sentence twice."""
    sentences = note.sentences
    words = sum(len(sentence.split()) for sentence in sentences)
    wanted = min(MAX_CARDS, max(_MIN_CARDS, len(note.definitions), words // _WORDS_PER_CARD))
    cards: dict[tuple[str, ...], Flashcard] = {}
    used: set[str] = set()
    for term, definition, sentence in _sources(note, sentences):
        key = tuple(sorted(phrase_key(term)))
        if len(cards) < wanted and key and key not in cards and sentence not in used:
            cards[key] = Flashcard(term, definition)
            used.add(sentence)
    return list(cards.values())


def _sources(note: NoteText, sentences: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    """Term, definition and the sentence it comes from, best first."""
    for found in note.definitions:
        yield found.term, found.meaning, found.sentence
    for part in note.parts:
        if part.heading and not CONCLUSION.match(part.heading):
            yield from _about_heading(part, note.lexicon)
    yield from _about_phrases(note, sentences)


def _about_heading(part: NotePart, lexicon: Lexicon) -> Iterable[tuple[str, str, str]]:
    """The best sentence of a part that holds all the words of its heading, when that is a term and no question."""
    heading = part.heading or ""
    words = [token.text for token in tokens(heading)]
    if not words or len(words) > _HEADING_WORDS or lexicon.is_stop(words[0]) or heading.endswith("?"):
        return
    named = {word_key(word) for word in words if not lexicon.is_stop(word)}
    about = [sentence for sentence in part.sentences if named <= set(phrase_key(sentence)) and _is_full(sentence)]
    for sentence in best_sentences(about, lexicon, 1):
        yield heading, sentence, sentence


def _about_phrases(note: NoteText, sentences: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    """For each leading phrase its sentences, in which it comes early: those are about it."""
    scores = dict(zip(sentences, rank_sentences(sentences, note.lexicon), strict=True))
    ranked = rank_phrases(sentences, note.lexicon, boosts=note.stressed)
    phrases = [phrase for phrase in ranked if phrase.is_noun][:_PHRASES] or ranked
    keys = {sentence: [word_key(token.text) for token in tokens(sentence)] for sentence in sentences}
    for phrase in [*distinct_phrases(phrases, _PHRASES), *phrases]:
        about = [sentence for sentence in sentences if phrase.key[0] in keys[sentence][:_EARLY] and _is_full(sentence)]
        about.sort(key=lambda sentence: -scores[sentence])
        yield from ((_capital(phrase.text), sentence, sentence) for sentence in about)


def _is_full(sentence: str) -> bool:
    return len(sentence.split()) >= _MIN_WORDS and not sentence.endswith(("?", ":"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
