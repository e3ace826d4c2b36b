"""A note as HTML, every text and attribute escaped.

Elements: article h1-h6 p strong ul li pre code div figure img figcaption a. Classes: `study-note` on article; `box` and
the kind with hyphens (`note-box`, `key-takeaway-box`, `highlight-box`, `example`, `definition`, `qa`, `explanation`,
`conclusion`, `placeholder`) on div; `visual` on figure; `language-…` on code.
"""

from collections.abc import Sequence
from html import escape

from systems.study_notes.domain.hydration import VisualBlock
from systems.study_notes.domain.layout import Box, Bullets, Code, Heading, Paragraph, Part
from systems.study_notes.domain.markdown import code_language, paragraphs


def to_html(parts: Sequence[Part]) -> str:
    """The parts as one `article` element."""
    return f'<article class="study-note">\n{_joined(parts)}\n</article>\n'


def _joined(parts: Sequence[Part]) -> str:
    return "\n".join(_part(part) for part in parts)


def _part(part: Part) -> str:
    if isinstance(part, Heading):
        return f"<h{part.level}>{escape(part.text)}</h{part.level}>"
    if isinstance(part, Paragraph):
        return _paragraph(part)
    if isinstance(part, Bullets):
        return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in part.items) + "\n</ul>"
    if isinstance(part, Code):
        return _listing(part)
    if isinstance(part, Box):
        return f'<div class="box {escape(part.kind.replace("_", "-"))}">\n{_joined(part.parts)}\n</div>'
    return _figure(part.label, part.visual)


def _paragraph(part: Paragraph) -> str:
    pieces = [escape(piece) for piece in paragraphs(part.text)]
    if part.lead:
        lead = f"<strong>{escape(part.lead)}</strong>"
        pieces[:1] = [f"{lead} {pieces[0]}" if pieces else lead]
    return "\n".join(f"<p>{piece}</p>" for piece in pieces)


def _listing(part: Code) -> str:
    language = code_language(part.language)
    style = f' class="language-{escape(language)}"' if language else ""
    return f"<pre><code{style}>{escape(part.text)}</code></pre>"


def _figure(label: str, visual: VisualBlock) -> str:
    picture = f'<img src="{escape(visual.image_url)}" alt="{escape(visual.alt_text)}">'
    credit = _credit(visual)
    caption = f"\n<figcaption>{escape(label)}: {credit}</figcaption>" if credit else ""
    return f'<figure class="visual">\n{picture}{caption}\n</figure>'


def _credit(visual: VisualBlock) -> str:
    title = escape(visual.source_title or visual.source_url or "")
    if visual.source_url:
        title = f'<a href="{escape(visual.source_url)}" rel="noopener noreferrer nofollow">{title}</a>'
    return ", ".join(part for part in (title, escape(visual.provider or "")) if part)
