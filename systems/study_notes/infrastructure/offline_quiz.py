"""A quiz out of a note: sentences with a gap, and definitions whose term is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock.ai.offline import (
    OPTIONS,
    Cloze,
    Phrase,
    Term,
    arrange,
    find_definition,
    leans_back,
    make_cloze,
    number_terms,
    phrase_key,
    phrase_terms,
    rank_phrases,
    rank_sentences,
)
from systems.study_notes.infrastructure.offline_cues import complete_label, which_term_label
from systems.study_notes.infrastructure.offline_note import NoteText

MAX_ITEMS = 10
_MIN_ITEMS = 3
_FIT_WORDS = range(8, 34)
_LOOSE_WORDS = range(4, 60)
_TERMS = 60
_LOOSE_TERMS = 200
_DEFINITION_ITEMS = 3
_NUMBER_ITEMS = 3


@dataclass(frozen=True, slots=True)
class QuizItem:
    """A question with four distinct options, one of them right, and the sentence that says so."""

    question: str
    options: tuple[str, ...]
    correct_index: int
    explanation: str


def quiz_items(note: NoteText) -> list[QuizItem]:
    """At most ten questions in the order of the note, spread over it, each about another term.

    Fewer where the note carries fewer; for a tiny note also from short sentences and plain words.
    """
    phrases = [phrase for phrase in rank_phrases(note.sentences, note.lexicon, boosts=note.stressed) if phrase.is_noun]
    asked = _about_definitions(note)
    terms = {word for item in asked for word in phrase_key(item.options[item.correct_index])}
    room = MAX_ITEMS - len(asked)
    chosen = _choose(note, phrases[:_TERMS], set(terms), room, loose=False)
    if len(asked) + len(chosen) < _MIN_ITEMS:
        room = max(_MIN_ITEMS, min(room, len(note.sentences)))
        chosen = _choose(note, phrases[:_LOOSE_TERMS], set(terms), room, loose=True)
    order = {sentence: at for at, sentence in enumerate(note.sentences)}
    label = complete_label(note.lexicon.language)
    asked += [QuizItem(f"{label} {gap.gapped}", gap.options, gap.correct_index, sentence) for sentence, gap in chosen]
    return sorted(asked, key=lambda item: order[item.explanation])


def _about_definitions(note: NoteText) -> list[QuizItem]:
    """For a few definitions that stand apart from their terms: which of the note's defined terms is it?"""
    terms = [found.term for found in note.definitions]
    label = which_term_label(note.lexicon.language)
    items = []
    for at, found in enumerate(note.definitions):
        words = set(phrase_key(found.sentence))
        # Beginning behind the term, so that not every question has the same wrong options.
        wrong = [term for term in [*terms[at + 1 :], *terms[:at]] if words.isdisjoint(phrase_key(term))][: OPTIONS - 1]
        told = found.meaning.casefold()
        if len(wrong) == OPTIONS - 1 and found.meaning != found.sentence and found.term.casefold() not in told:
            question = f"{label} {found.meaning}"
            items.append(QuizItem(question, *arrange(question, found.term, wrong), found.sentence))
    return items[:: max(1, -(-len(items) // _DEFINITION_ITEMS))]


def _choose(
    note: NoteText, phrases: Sequence[Phrase], asked: set[str], room: int, *, loose: bool
) -> list[tuple[str, Cloze]]:
    """Sentences with their gaps: a few at numbers, the others at terms; from each part its best sentence first."""
    sentences = list(_by_turns(note, loose=loose))
    numbers = number_terms(note.sentences)
    chosen = _gaps(sentences, numbers, asked, _NUMBER_ITEMS)
    taken = {sentence for sentence, _ in chosen}
    rest = [sentence for sentence in sentences if loose or sentence not in taken]
    return [*chosen, *_gaps(rest, phrase_terms(phrases), asked, room - len(chosen))]


def _gaps(sentences: Sequence[str], pool: Sequence[Term], asked: set[str], room: int) -> list[tuple[str, Cloze]]:
    chosen: list[tuple[str, Cloze]] = []
    for sentence in sentences:
        if len(chosen) == room:
            break
        cloze = _gap(sentence, pool, asked)
        if cloze is not None:
            asked.update(phrase_key(cloze.answer))
            chosen.append((sentence, cloze))
    return chosen


def _by_turns(note: NoteText, *, loose: bool) -> Iterator[str]:
    queues = []
    for part in note.parts:
        scores = rank_sentences(part.sentences, note.lexicon)
        ranked = sorted(zip(scores, part.sentences, strict=True), key=lambda pair: -pair[0])
        fit = [sentence for _, sentence in ranked if _is_fit(sentence, note, loose=loose)]
        # A tiny note may need several gaps in one sentence.
        queues.append(fit * (3 if loose else 1))
    for turn in range(max(map(len, queues), default=0)):
        yield from (queue[turn] for queue in queues if turn < len(queue))


def _is_fit(sentence: str, note: NoteText, *, loose: bool) -> bool:
    lengths = _LOOSE_WORDS if loose else _FIT_WORDS
    if len(sentence.split()) not in lengths or sentence.endswith(("?", ":")) or _is_labelled(sentence, note):
        return False
    return loose or (sentence.endswith((".", "!", "。")) and not leans_back(sentence, note.lexicon))


def _is_labelled(sentence: str, note: NoteText) -> bool:
    """Whether it is an entry such as "Term: meaning", which is no sentence to complete."""
    found = find_definition(sentence, note.lexicon)
    return found is not None and sentence.startswith((f"{found.term}:", f"{found.term} -", f"{found.term} \u2013"))


def _gap(sentence: str, pool: Sequence[Term], asked: set[str]) -> Cloze | None:
    """The gap at the best term of the sentence that was not asked for yet; never in the middle of a longer term."""
    spoken = phrase_key(sentence)
    present = set(spoken)
    found = [(term, key) for term in pool if present.issuperset(key := phrase_key(term.text))]
    longer = [key for _, key in found if len(key) > 1 and _holds(spoken, key)]
    fit = (term for term, key in found if asked.isdisjoint(key) and not any(set(key) < set(other) for other in longer))
    return next((cloze for term in fit if (cloze := make_cloze(sentence, term, pool)) is not None), None)


def _holds(words: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))
