"""Choosing where pictures belong in an offline lesson, and saying what they should show."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.ai.offline import Lexicon, Section, body_texts, distinct_phrases, phrase_key, rank_phrases
from systems.study_notes.infrastructure.offline_blocks import LessonBlock
from systems.study_notes.infrastructure.offline_cues import CONCLUSION

MAX_VISUALS = 8
_MIN_WORDS = 25
_PHRASES = 3


@dataclass(frozen=True, slots=True)
class Visual:
    """A picture for one section; `description` names the section and its leading phrases."""

    placeholder_id: str
    concept: str
    description: str
    search_query: str

    def block(self) -> LessonBlock:
        """The place in the lesson."""
        return {
            "content_type": "visual_placeholder",
            "placeholder_id": self.placeholder_id,
            "content": self.description,
        }

    def opportunity(self) -> dict[str, str]:
        """The entry in `visual_opportunities`."""
        return {
            "placeholder_id": self.placeholder_id,
            "concept": self.concept,
            "description": self.description,
            "search_query": self.search_query,
        }


def choose_visuals(sections: Sequence[Section], names: Sequence[str], lexicon: Lexicon) -> dict[int, Visual]:
    """Pictures by index of their section: at most one each and eight in all, for the sections that say most.

    `names` are what the sections are about, in their order: mostly their headings.
    """
    sizes = [
        sum(len(text.split()) for part in section.walk() for text in body_texts(part.body)) for section in sections
    ]
    fit = [
        at for at, section in enumerate(sections) if sizes[at] >= _MIN_WORDS and not CONCLUSION.match(section.heading)
    ]
    chosen = sorted(sorted(fit, key=lambda at: (-sizes[at], at))[:MAX_VISUALS])
    return {at: _visual(number, sections[at], names[at], lexicon) for number, at in enumerate(chosen, start=1)}


def place_visual(blocks: list[LessonBlock], visual: Visual) -> list[LessonBlock]:
    """`blocks` with the picture after the first one, but never between an announcing paragraph and its list."""
    announces = bool(blocks) and any(str(text).rstrip().endswith(":") for text in blocks[0].values())
    at = 0 if announces else min(1, len(blocks))
    return [*blocks[:at], visual.block(), *blocks[at:]]


def _visual(number: int, section: Section, name: str, lexicon: Lexicon) -> Visual:
    texts = [text for part in section.walk() for text in body_texts(part.body)]
    named = set(phrase_key(name))
    phrases = [phrase for phrase in rank_phrases(texts, lexicon) if phrase.is_noun and named.isdisjoint(phrase.key)]
    key_phrases = [phrase.text for phrase in distinct_phrases(phrases, _PHRASES)]
    listed = ", ".join(key_phrases)
    description = f"{name} ({listed})" if listed and ":" in name else f"{name}: {listed}" if listed else name
    return Visual(
        placeholder_id=f"visual-{number}",
        concept=name,
        description=description,
        search_query=" ".join([name, *key_phrases[:1]]),
    )
