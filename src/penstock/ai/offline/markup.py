"""Taking Markdown's inline signs out of a text."""

import html
import re

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
# Every repetition is bounded: an opening sign without its closing one must not make the search read on to the end.
_IMAGE = re.compile(r"!\[[^\]]{0,500}\](?:\([^)]{0,2000}\)|\[[^\]]{0,200}\])")
_LINK = re.compile(r"\[([^\[\]]{1,500})\](?:\((?:[^()]|\([^()]{0,200}\)){0,2000}\)|\[[^\]]{0,200}\])")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^>\s]{1,2000})>")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,50}\]:?")
_CODE = re.compile(r"(?<!`)(`{1,10})(?!`)\s?(.{1,1000}?)\s?(?<!`)\1(?!`)")
_FORMAT_TAG = re.compile(r"</?(?:b|i|em|strong|br|sub|sup|span|div|p|u|kbd|small|mark)\b[^<>]{0,200}>", re.IGNORECASE)
_EMPHASIS = (
    re.compile(r"\*\*\*(?=\S)(.{1,1000}?)(?<=\S)\*\*\*"),
    re.compile(r"\*\*(?=\S)(.{1,1000}?)(?<=\S)\*\*"),
    re.compile(r"(?<!\w)__(?=\S)(.{1,1000}?)(?<=\S)__(?!\w)"),
    re.compile(r"(?<![\w*])\*(?=\S)([^*]{1,1000}?)(?<=\S)\*(?![\w*])"),
    re.compile(r"(?<!\w)_(?=\S)([^_]{1,1000}?)(?<=\S)_(?!\w)"),
    re.compile(r"~~(?=\S)(.{1,1000}?)(?<=\S)~~"),
)
_STRONG = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*|(?<!\w)__(?=\S)([^_\n]+?)(?<=\S)__(?!\w)")
_SIGNS = re.compile(r"[\\*_`\[\]<>&~]")
# Signs that must survive the stripping wait in Unicode's private use area.
_HIDDEN_BASE = 0xE000
_HIDDEN = re.compile("[\ue000-\ue07f]")


def plain_text(inline: str) -> str:
    """`inline` without Markdown: emphasis, links (their text stays), images, code ticks, escapes and entities.

    White space is collapsed. Text that only looks like Markdown (`2 * 3`, `snake_case`) is left alone.
    """
    if not _SIGNS.search(inline):
        return " ".join(inline.split())
    text = _ESCAPED.sub(lambda match: _hide(match.group(1)), inline)
    text = _CODE.sub(lambda match: "".join(map(_hide, match.group(2))), text)
    for pattern, replacement in ((_IMAGE, ""), (_FOOTNOTE, ""), (_LINK, r"\1"), (_AUTOLINK, r"\1"), (_FORMAT_TAG, " ")):
        text = pattern.sub(replacement, text)
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    text = html.unescape(_HIDDEN.sub(lambda match: chr(ord(match.group()) - _HIDDEN_BASE), text))
    return " ".join(text.split())


def strong_terms(text: str) -> list[str]:
    """What a Markdown text sets in bold, in order, without repeats: its author's own key terms."""
    found = (plain_text(first or second).rstrip(".:;, ") for first, second in _STRONG.findall(text))
    return list(dict.fromkeys(term for term in found if term))


def _hide(sign: str) -> str:
    return chr(_HIDDEN_BASE + ord(sign)) if sign in _MARKDOWN_SIGNS else sign


_MARKDOWN_SIGNS = frozenset("\\*_`[]<>&~!()#")
