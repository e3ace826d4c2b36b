"""A lesson structure out of whatever JSON a model answered.

Good content is kept wherever it can be: camelCase names are read, nulls and unknown fields dropped, texts taken from
where texts are expected, a block of unknown kind becomes a paragraph. Only an answer without any block is refused.
"""

from collections.abc import Mapping

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.json_answer import fields_of, list_of, number_of, snake, text_of, texts_of
from systems.study_notes.domain.placeholders import Resolver, Wish, unwrapped
from systems.study_notes.domain.structure import Block, ContentType, LessonStructure

MAX_DEPTH = 20
_TEXTS = ("title", "content", "section_summary", "question", "answer", "term", "definition", "language")
_LISTS = ("key_points", "items")
_KINDS = {kind.value: kind for kind in ContentType}


def lesson_from(answer: object) -> LessonStructure:
    """The lesson in a JSON value: an object with `structure`, or a bare list of blocks.

    Placeholders have their stored ids afterwards. Raises `StageError` when no block is left or blocks are nested deeper
    than any lesson is.
    """
    members = fields_of(answer) if isinstance(answer, Mapping) else {"structure": answer}
    resolver = Resolver([_wish(fields_of(wish)) for wish in list_of(members.get("visual_opportunities"))])
    blocks = _blocks(members.get("structure"), resolver, depth=1)
    if not blocks:
        raise StageError("the model's answer holds no lesson")
    return LessonStructure(
        title=text_of(members.get("title")) or "",
        summary=text_of(members.get("summary")) or "",
        structure=blocks,
        visual_opportunities=resolver.opportunities(),
    )


def _wish(members: Mapping[str, object]) -> Wish:
    return Wish(
        placeholder_id=text_of(members.get("placeholder_id")),
        concept=text_of(members.get("concept")),
        description=text_of(members.get("description")),
        search_query=text_of(members.get("search_query")),
    )


def _blocks(value: object, resolver: Resolver, depth: int) -> tuple[Block, ...]:
    if depth > MAX_DEPTH:
        raise StageError(f"the model's answer nests blocks deeper than {MAX_DEPTH} levels")
    return tuple(block for member in list_of(value) for block in _repaired(member, resolver, depth))


def _repaired(value: object, resolver: Resolver, depth: int) -> tuple[Block, ...]:
    """The block in `value`; or, when it shows nothing itself, the blocks below it; or none."""
    members = {"content": value} if isinstance(value, str) else fields_of(value)
    kind = _KINDS.get(snake(str(members.get("content_type", ""))))
    fields: dict[str, object] = {name: text_of(members.get(name)) for name in _TEXTS}
    fields |= {name: texts_of(members.get(name)) for name in _LISTS}
    fields["content_type"] = kind or ContentType.PARAGRAPH
    if kind is ContentType.VISUAL_PLACEHOLDER:
        # Before the blocks below it: placeholders take their descriptions in reading order.
        content = unwrapped(text_of(members.get("content")))
        model_id = text_of(members.get("placeholder_id"))
        fields |= {"content": content, "placeholder_id": resolver.stored_id(model_id, content)}
    fields["sub_structure"] = _blocks(members.get("sub_structure"), resolver, depth + 1)
    block = Block.model_validate(fields)
    if kind is ContentType.HEADING:
        block = _as_heading(block, members.get("level"), depth)
    if kind is ContentType.LIST:
        block = _as_list(block)
    return (block,) if _shows_something(block) else block.sub_structure


def _as_heading(block: Block, level: object, depth: int) -> Block:
    """With its level (1-6, the depth where the model gave none) and its text, which some models call the title."""
    number = number_of(level)
    update: dict[str, object] = {"level": max(1, min(6, depth if number is None else number))}
    if block.content is None:
        update |= {"content": block.title, "title": None}
    return block.model_copy(update=update)


def _as_list(block: Block) -> Block:
    """A list whose items were written as lines of its content."""
    if block.items or block.content is None:
        return block
    lines = tuple(line.strip() for line in block.content.splitlines() if line.strip())
    return block.model_copy(update={"items": lines, "content": None})


def _shows_something(block: Block) -> bool:
    if block.content_type is ContentType.VISUAL_PLACEHOLDER:
        return True
    texts = (getattr(block, name) for name in (*_TEXTS, *_LISTS) if name != "language")
    return any(texts)
