"""The lesson structure of a text, made without a model."""

from collections.abc import Sequence

from penstock.ai.offline import (
    Body,
    Document,
    Lexicon,
    Phrase,
    Quote,
    Section,
    Table,
    best_sentences,
    body_texts,
    distinct_phrases,
    leans_back,
    lexicon_for,
    parse_document,
    phrase_key,
    rank_phrases,
    split_sentences,
    strong_terms,
)
from systems.study_notes.infrastructure.offline_blocks import LessonBlock, body_blocks, with_takeaway
from systems.study_notes.infrastructure.offline_cues import CONCLUSION, NOTE, introduction_label
from systems.study_notes.infrastructure.offline_sections import leading_phrase, sections_by_topic
from systems.study_notes.infrastructure.offline_visuals import choose_visuals, place_visual

_SUMMARY_SENTENCES = 3
_FEW_SENTENCES = 3
_ENOUGH_SENTENCES = 5
_SENTENCES_PER_POINT = 4
_MIN_POINTS, _MAX_POINTS = 2, 4
_DEEPEST_LEVEL = 6
_TITLE_PHRASES = 3
_TITLE_WORDS = 10
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "।", ":", ")", '"', "\u201d", "»")


def lesson_structure(text: str, language: str | None) -> dict[str, object]:
    """The lesson of `text` in the shape that the study notes ask of a model.

    All of the text is kept, in order, in blocks; title, summaries and key points are sentences or phrases of it.
    """
    lexicon = lexicon_for(text, language)
    document = parse_document(text)
    sections = _top_sections(document, lexicon)
    sentences = [sentence for section in sections for sentence in _sentences(section)]
    boosts = [*(section.heading for section in document.walk()), *strong_terms(text)]
    phrases = rank_phrases(sentences, lexicon, boosts=boosts)
    title = document.title or _title(sections, sentences, phrases)
    # "Introduction" says nothing about a picture.
    names = [
        title if section.heading == introduction_label(lexicon.language) else section.heading for section in sections
    ]
    visuals = choose_visuals(sections, names, lexicon)
    structure = []
    for at, section in enumerate(sections):
        blocks = _section_blocks(section, level=1, lexicon=lexicon)
        if at in visuals:
            blocks = place_visual(blocks, visuals[at])
        structure.append(_top_block(section, blocks, lexicon))
    return {
        "title": title,
        "summary": _lesson_summary(sections, title, lexicon),
        "structure": structure,
        "visual_opportunities": [visual.opportunity() for visual in visuals.values()],
    }


def _top_sections(document: Document, lexicon: Lexicon) -> list[Section]:
    """The document's own sections, its opening text as the first of them; by topic where it has none."""
    if not document.sections:
        return list(sections_by_topic(document.preamble, lexicon))
    return [*_opening_section(document.title, document.preamble, lexicon), *document.sections]


def _opening_section(title: str | None, preamble: tuple[Body, ...], lexicon: Lexicon) -> list[Section]:
    if not preamble:
        return []
    # Without a title the text may be a later piece of a longer one, and its opening no introduction.
    label = introduction_label(lexicon.language) if title else None
    return [Section(label or leading_phrase(preamble, lexicon), preamble)]


def _title(sections: Sequence[Section], sentences: Sequence[str], phrases: Sequence[Phrase]) -> str:
    """The first heading when it holds the leading phrase, a short first sentence, or the leading phrases."""
    first = sections[0].heading if sections else ""
    leading = distinct_phrases((phrase for phrase in phrases if phrase.is_noun), _TITLE_PHRASES)
    if not leading:
        return first
    if len(sections) > 1 and set(leading[0].key) <= set(phrase_key(first)):
        return first
    if sentences and len(sentences[0].split()) <= _TITLE_WORDS:
        return sentences[0].rstrip(".")
    joined = ", ".join(phrase.text for phrase in leading)
    return joined[:1].upper() + joined[1:]


def _lesson_summary(sections: Sequence[Section], title: str, lexicon: Lexicon) -> str:
    """The opening sentence, where it can stand alone, and the best of the conclusion, or else of all."""
    prose = [_sentences(section) for section in sections]
    sentences = [sentence for part in prose for sentence in part]
    lead = [text for text in sentences[:1] if text.endswith(".") and not leans_back(text, lexicon)]
    closing = prose[-1] if len(prose) > 1 and CONCLUSION.match(sections[-1].heading) else []
    rest = [text for text in closing or sentences if text not in lead and text.rstrip(".") != title]
    return " ".join([*lead, *best_sentences(rest, lexicon, _SUMMARY_SENTENCES - len(lead), topic=title)])


def _sentences(section: Section) -> list[str]:
    return [sentence for part in section.walk() for sentence in _prose(part.body)]


def _prose(body: Sequence[Body]) -> list[str]:
    """The sentences of paragraphs and list items; notes and fragments are no material for summaries."""
    texts = [text for element in body if not isinstance(element, Quote | Table) for text in body_texts([element])]
    sentences = [sentence for text in texts for sentence in split_sentences(text) if not NOTE.match(text)]
    return [sentence for sentence in sentences if sentence.endswith(_SENTENCE_ENDS)]


def _section_blocks(section: Section, *, level: int, lexicon: Lexicon) -> list[LessonBlock]:
    blocks = body_blocks(section.body, section.heading, lexicon)
    for child in section.children:
        inner = _section_blocks(child, level=level + 1, lexicon=lexicon)
        heading: LessonBlock = {
            "content_type": "heading",
            "level": min(level + 1, _DEEPEST_LEVEL),
            "content": child.heading,
            "sub_structure": inner,
        }
        blocks.append(heading)
    return with_takeaway(blocks, lexicon) if level == 1 else blocks


def _top_block(section: Section, blocks: list[LessonBlock], lexicon: Lexicon) -> LessonBlock:
    takeaways = {str(block["content"]) for block in blocks if block["content_type"] == "key_takeaway_box"}
    meanings = tuple(str(block["definition"]) for block in blocks if block["content_type"] == "definition")
    summary = _summary(section, takeaways, lexicon)
    return {
        "content_type": "heading",
        "level": 1,
        "content": section.heading,
        "section_summary": summary,
        "key_points": _key_points(section, {*takeaways, summary}, meanings, lexicon),
        "sub_structure": blocks,
    }


def _summary(section: Section, takeaways: set[str], lexicon: Lexicon) -> str:
    """The best sentence, if possible not the one with which the section begins: it would stand there twice in a row."""
    own = _prose(section.body)
    sentences = own if len(own) >= _FEW_SENTENCES else _sentences(section)
    later = [text for text in sentences[1:] if text not in takeaways and not leans_back(text, lexicon)]
    best = best_sentences(later, lexicon, 1, topic=section.heading) or best_sentences(sentences, lexicon, 1)
    texts = (text for part in section.walk() for text in body_texts(part.body))
    return next(iter([*best, *sentences, *texts]), section.heading)


def _key_points(section: Section, told: set[str], meanings: tuple[str, ...], lexicon: Lexicon) -> list[str]:
    """The next best sentences in the order of the text. A section of a few sentences needs none."""
    sentences = _sentences(section)
    if len(sentences) < _ENOUGH_SENTENCES:
        return []
    others = [text for text in sentences if text not in told and not text.endswith(meanings)]
    limit = min(_MAX_POINTS, max(_MIN_POINTS, len(sentences) // _SENTENCES_PER_POINT))
    return best_sentences(others, lexicon, limit, topic=section.heading)
