import html

import pytest

from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.placeholders import placeholder_id
from systems.study_notes.domain.records import Visual
from systems.study_notes.domain.rendering import render
from systems.study_notes.domain.structure import Block, ContentType, LessonStructure, VisualOpportunity
from systems.study_notes.infrastructure.sanitise import sanitise_html

WHEEL = "An overshot wheel"


def lesson() -> LessonStructure:
    """A lesson with a block of every kind."""
    kinds = [kind for kind in ContentType if kind not in (ContentType.VISUAL_PLACEHOLDER, ContentType.HEADING)]
    blocks = [
        Block(
            content_type=kind,
            content="Text & <b>signs</b>",
            items=("one", "two"),
            question="Why?",
            answer="Because.",
            term="Head",
            definition="Height",
            language="python",
        )
        for kind in kinds
    ]
    key = placeholder_id(WHEEL)
    missing = placeholder_id("missing")
    pictures = [
        Block(content_type=ContentType.VISUAL_PLACEHOLDER, placeholder_id=key),
        Block(content_type=ContentType.VISUAL_PLACEHOLDER, placeholder_id=missing, content="missing"),
    ]
    heading = Block(
        content_type=ContentType.HEADING,
        level=1,
        content="Wheels",
        sub_structure=(*blocks, *pictures),
        key_points=("k",),
    )
    opportunity = VisualOpportunity(placeholder_id=key, concept="wheel", description=WHEEL, search_query="wheel")
    return LessonStructure(title="Mills", summary="About", structure=(heading,), visual_opportunities=(opportunity,))


def visual(image_url: str) -> Visual:
    return Visual(
        id=1,
        source_id=1,
        placeholder_id=placeholder_id(WHEEL),
        concept="wheel",
        description=WHEEL,
        search_query="wheel",
        status=VisualStatus.COMPLETED,
        image_url=image_url,
        alt_text='A "wheel"',
        source_url="https://e.org/wheel?a=1&b=2",
        source_title="Wheels <old>",
        provider="serper",
    )


@pytest.mark.parametrize("image_url", ["https://e.org/a.png?x=1&y=2", "/api/visuals/7/image"])
def test_what_the_renderer_writes_passes_unchanged(image_url: str) -> None:
    written = render("Mills", lesson(), [visual(image_url)], "eng").html
    kept = sanitise_html(written)
    assert html.unescape(kept) == html.unescape(written)
    assert sanitise_html(kept) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>a<script>alert(1)</script>b</p>", "<p>ab</p>"),
        ("<style>p{}</style><p>a</p>", "<p>a</p>"),
        ('<p onclick="x()" style="color:red" id="i">a</p>', "<p>a</p>"),
        ('<iframe src="https://e.org"></iframe><p>a</p>', "<p>a</p>"),
        ('<div class="box note-box">a</div>', '<div class="box note-box">a</div>'),
        ('<div class="box evil">a</div>', "<div>a</div>"),
        ('<p class="visual">a</p>', "<p>a</p>"),
        ('<img src="data:image/png;base64,AA" alt="a">', '<img alt="a">'),
        ('<img src="/api/visuals/7/image" alt="a">', '<img src="/api/visuals/7/image" alt="a">'),
        ('<img src="/api/notes/7" alt="a">', '<img alt="a">'),
        ('<img src="//e.org/a.png" onerror="x()">', "<img>"),
        ("<svg onload=x()><circle/></svg><p>a</p>", "<p>a</p>"),
        ("<h2>a<!-- b --></h2>", "<h2>a</h2>"),
    ],
)
def test_nothing_else_passes(given: str, kept: str) -> None:
    assert sanitise_html(given) == kept


@pytest.mark.parametrize("address", ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "/local", "vbscript:x"])
def test_links_lead_to_the_web_only(address: str) -> None:
    assert "href" not in sanitise_html(f'<a href="{address}">a</a>')


def test_links_to_the_web_give_nothing_away() -> None:
    assert sanitise_html('<a href="https://e.org/" rel="opener">a</a>') == (
        '<a href="https://e.org/" rel="noopener noreferrer nofollow">a</a>'
    )
