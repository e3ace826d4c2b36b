"""The last guard of a note's HTML: whatever wrote it, only what the renderer is meant to write passes."""

import re

import nh3

from systems.study_notes.domain.links import image_link

_TAGS = frozenset(
    {"article", "h1", "h2", "h3", "h4", "h5", "h6", "p", "strong", "ul", "li", "pre", "code", "div", "figure", "img"}
    | {"figcaption", "a"}
)
_KINDS = "note-box|key-takeaway-box|highlight-box|example|definition|qa|explanation|conclusion|placeholder"
# All values of `class` that a tag may have, as one pattern over the whole attribute.
_CLASSES = {
    "article": re.compile("study-note"),
    "div": re.compile(f"box (?:{_KINDS})"),
    "figure": re.compile("visual"),
    "code": re.compile(r"language-[A-Za-z0-9_+#.-]{1,40}"),
}
_ATTRIBUTES = {**{tag: {"class"} for tag in _CLASSES}, "img": {"src", "alt"}, "a": {"href"}}
# Elements whose text is no text of a note: it goes with them.
_EMPTIED = frozenset({"script", "style"})


def sanitise_html(html: str) -> str:
    """`html` with only the elements, attributes and classes of a note; links and pictures by http and https alone,
    and of other paths only that of an offline picture. Elements that are not allowed leave their text behind, scripts
    and styles do not."""
    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_EMPTIED),
        attributes=_ATTRIBUTES,
        attribute_filter=_allowed,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        pattern = _CLASSES.get(tag)
        return value if pattern and pattern.fullmatch(value) else None
    if attribute == "src":
        return image_link(value)
    if attribute == "href":
        return value if re.match("https?://", value, re.IGNORECASE) else None
    return value
