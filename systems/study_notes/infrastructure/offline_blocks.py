"""Turning the body of a section into lesson blocks of fitting kinds, without losing or doubling a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock.ai.offline import (
    Body,
    Code,
    Definition,
    Lexicon,
    Listing,
    Paragraph,
    Quote,
    Table,
    find_definition,
    leans_back,
    split_sentences,
)
from systems.study_notes.infrastructure import offline_cues as cues

LessonBlock = dict[str, object]

_LONG_PARAGRAPH = 110
_PART_WORDS = 75
_TAKEAWAY_WORDS = range(8, 33)
_TAKEAWAY_SENTENCES = 4
_DEFINITION_WORDS = 45


def body_blocks(body: Sequence[Body], heading: str, lexicon: Lexicon) -> list[LessonBlock]:
    """The blocks of what stands directly under `heading`, in reading order."""
    blocks: list[LessonBlock] = []
    for element in _paired_answers(body):
        match element:
            case Code(text, language):
                blocks.append({"content_type": "code_block", "content": text, "language": language or "text"})
            case Quote(text):
                blocks.append(_boxed(text, "highlight_box"))
            case Listing(items):
                blocks.extend(_list_blocks(items, lexicon))
            case Paragraph(text):
                blocks.extend(_paragraph_blocks(text, heading, lexicon))
            case _Answered(question, answer):
                blocks.append({"content_type": "qa", "question": question, "answer": answer})
            case Table(rows):
                blocks.append({"content_type": "list", "items": list(rows)})
    return blocks


def with_takeaway(blocks: list[LessonBlock], lexicon: Lexicon) -> list[LessonBlock]:
    """`blocks` with their closing sentence set apart as the takeaway, where they end in prose and it can stand alone.

    Nothing changes when there is a takeaway already or the last paragraph is too short to spare the sentence.
    """
    if not blocks or any(block["content_type"] == "key_takeaway_box" for block in blocks):
        return blocks
    if blocks[-1]["content_type"] != "paragraph":
        return blocks
    *kept, last = split_sentences(str(blocks[-1]["content"]))
    stands_alone = len(last.split()) in _TAKEAWAY_WORDS and last.endswith(".") and not leans_back(last, lexicon)
    if len(kept) < _TAKEAWAY_SENTENCES - 1 or not stands_alone:
        return blocks
    return [*blocks[:-1], _block("paragraph", kept), {"content_type": "key_takeaway_box", "content": last}]


@dataclass(frozen=True, slots=True)
class _Answered:
    question: str
    answer: str


def _paired_answers(body: Sequence[Body]) -> Iterator["Body | _Answered"]:
    """`body` with each `Q: …` paragraph and the `A: …` after it as one pair."""
    skip = False
    for at, element in enumerate(body):
        if skip:
            skip = False
            continue
        after = body[at + 1] if at + 1 < len(body) else None
        if (
            isinstance(element, Paragraph)
            and isinstance(after, Paragraph)
            and cues.QUESTION_LABEL.match(element.text)
            and cues.ANSWER_LABEL.match(after.text)
        ):
            skip = True
            yield _Answered(cues.QUESTION_LABEL.sub("", element.text), cues.ANSWER_LABEL.sub("", after.text))
        else:
            yield element


def _list_blocks(items: Sequence[str], lexicon: Lexicon) -> list[LessonBlock]:
    """A glossary becomes definitions, a single item a paragraph, anything else stays a list."""
    meanings = [_leading_definition(item, lexicon) for item in items]
    found = [meaning for meaning in meanings if meaning is not None]
    if len(items) > 1 and len(found) == len(items):
        return [_definition_block(meaning) for meaning in found]
    if len(items) == 1:
        return [{"content_type": "paragraph", "content": items[0]}]
    return [{"content_type": "list", "items": list(items)}]


def _paragraph_blocks(text: str, heading: str, lexicon: Lexicon) -> list[LessonBlock]:
    sentences = split_sentences(text)
    if cues.NOTE.match(text):
        return [_boxed(text, "note_box")]
    if cues.CONCLUSION.match(heading) or cues.CONCLUSION.match(text):
        return [{"content_type": "conclusion", "content": text}]
    if cues.EXAMPLE.match(heading) or cues.EXAMPLE.match(text):
        return [{"content_type": "example", "content": cues.EXAMPLE_LABEL.sub("", text)}]
    if len(sentences) > 1 and sentences[0].endswith("?"):
        return [{"content_type": "qa", "question": sentences[0], "answer": " ".join(sentences[1:])}]
    if cues.EXPLANATION.match(text):
        return [{"content_type": "explanation", "content": text}]
    meaning = _leading_definition(sentences[0], lexicon)
    if meaning is not None:
        return [_definition_block(meaning), *_flow(sentences[1:])]
    return _flow(sentences)


def _flow(sentences: Sequence[str]) -> list[LessonBlock]:
    """Running sentences: an example to the end of the paragraph and a closing takeaway get blocks of their own."""
    example = next((at for at, sentence in enumerate(sentences) if cues.EXAMPLE.match(sentence)), None)
    if example is not None:
        return [*_flow(sentences[:example]), _block("example", sentences[example:])]
    if len(sentences) > 1 and cues.TAKEAWAY.match(sentences[-1]):
        return [*_parts(sentences[:-1]), _block("key_takeaway_box", sentences[-1:])]
    return _parts(sentences)


def _parts(sentences: Sequence[str]) -> list[LessonBlock]:
    """One paragraph, or several of about equal length when it would be tiring to read."""
    total = sum(len(sentence.split()) for sentence in sentences)
    if total <= _LONG_PARAGRAPH:
        return [_block("paragraph", sentences)] if sentences else []
    size = total / round(total / _PART_WORDS)
    parts: list[list[str]] = [[]]
    seen = 0
    for sentence in sentences:
        if parts[-1] and seen + len(sentence.split()) / 2 > size * len(parts):
            parts.append([])
        parts[-1].append(sentence)
        seen += len(sentence.split())
    return [_block("paragraph", part) for part in parts]


def _leading_definition(sentence: str, lexicon: Lexicon) -> Definition | None:
    """A definition whose term leads the sentence, so that term and meaning together lose nothing of it."""
    found = find_definition(sentence, lexicon)
    if found is None or found.meaning == found.sentence or len(sentence.split()) > _DEFINITION_WORDS:
        return None
    return found


def _definition_block(found: Definition) -> LessonBlock:
    return {"content_type": "definition", "term": found.term, "definition": found.meaning}


def _boxed(text: str, kind: str) -> LessonBlock:
    if cues.NOTE.match(text):
        stripped = cues.NOTE.sub("", text)
        return {"content_type": "note_box", "content": stripped[:1].upper() + stripped[1:]}
    return {"content_type": kind, "content": text}


def _block(kind: str, sentences: Sequence[str]) -> LessonBlock:
    return {"content_type": kind, "content": " ".join(sentences)}
