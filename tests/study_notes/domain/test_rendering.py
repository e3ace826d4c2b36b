"""Notes as Markdown and HTML: everything shown, nothing of it active."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from systems.study_notes.domain.labels import labels_for
from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.links import image_link, web_link
from systems.study_notes.domain.markdown import escape
from systems.study_notes.domain.placeholders import placeholder_id
from systems.study_notes.domain.records import Visual
from systems.study_notes.domain.rendering import render
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.structure import Block, ContentType, LessonStructure

COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALLOWED = {
    *("article", "h1", "h2", "h3", "h4", "h5", "h6", "p", "strong", "ul", "li", "pre", "code", "div"),
    *("figure", "img", "figcaption", "a"),
}


class Elements(HTMLParser):
    """Collects elements, attributes and text of an HTML page."""

    def __init__(self, page):
        super().__init__()
        self.names, self.attributes, self.text, self.open = set(), [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def note(*blocks, visuals=(), title="T", summary="", language="eng"):
    lesson = LessonStructure(title="T", summary=summary, structure=blocks)
    return render(title, lesson, visuals, language)


def block(kind=ContentType.PARAGRAPH, **fields):
    return Block(content_type=kind, **fields)


def visual(description, **fields):
    given = {"status": VisualStatus.COMPLETED, "image_url": "https://pics.org/a.png", "provider": "serper", **fields}
    return Visual(1, 1, placeholder_id(description), description, description, description, **given)


def shown(markdown):
    """The text a reader of the Markdown sees, and the kinds of its tokens."""
    tokens = [inner for token in COMMONMARK.parse(markdown) for inner in (token.children or [token])]
    words = " ".join(token.content for token in tokens if token.type in ("text", "code_inline", "fence", "image"))
    return words, {token.type for token in tokens}


NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![p](https://evil.org/x.png)",
    "<https://evil.org>",
    "[ref]: https://evil.org",
    "# not a heading",
    "- not a list",
    "+ not a list",
    "1. not a list",
    "12) not a list",
    "* not a list",
    "> not a quote",
    "*no* _emphasis_ **here** ~~nor here~~",
    "`no code` ```neither",
    "~~~\nno fence\n~~~",
    "a | b\n--|--\n1 | 2",
    "Setext\n======",
    "Setext\n---",
    "    not indented code",
    "&lt;b&gt; &copy; &#x3c;",
    "a backslash \\* and \\\\",
    "***",
    "two  \nlines",
    '" onload="x',
    "-->",
    "]]>",
    "C #",
]


@pytest.mark.parametrize("text", NASTY)
def test_texts_stay_plain_wherever_they_stand(text):
    fields = {
        "title": text,
        "content": text,
        "section_summary": text,
        "key_points": (text,),
        "items": (text,),
        "question": text,
        "answer": text,
        "term": text,
        "definition": text,
    }
    blocks = [block(kind, **fields) for kind in ContentType if kind not in (ContentType.CODE_BLOCK,)]
    rendered = note(*blocks, title=text, summary=text)
    page = Elements(rendered.html)
    assert page.names <= ALLOWED
    assert page.open == []
    assert {(tag, name) for tag, name, _ in page.attributes} <= {("article", "class"), ("div", "class")}
    assert all(line.strip() in page.text for line in text.split("\n"))
    _, kinds = shown(rendered.markdown)
    assert kinds <= PLAIN_KINDS
    assert "<" not in rendered.markdown


PLAIN_KINDS = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "text", "softbreak"),
    *("strong_open", "strong_close", "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    *("blockquote_open", "blockquote_close", "text_special"),
}


@pytest.mark.parametrize("text", NASTY)
def test_an_escaped_text_reads_as_it_was_written(text):
    tokens = COMMONMARK.parse(escape(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    seen = "".join("\n" if child.type == "softbreak" else child.content for child in tokens[1].children or [])
    assert seen == "\n".join(line.strip() for line in text.split("\n"))


@given(st.text(alphabet=st.sampled_from("ab1 \n\\`*_[]<>#|~&;!()-+=.:\"'\t\u2028"), max_size=40))
def test_any_plain_text_survives_markdown(text):
    kinds = {child.type for token in COMMONMARK.parse(escape(text)) for child in (token.children or [token])}
    assert kinds <= PLAIN_KINDS


@given(st.sampled_from(ContentType), st.text(max_size=30), st.sampled_from(NASTY), st.text(max_size=10))
def test_html_never_has_an_element_of_the_texts(kind, before, nasty, language):
    text = before + nasty
    rendered = note(block(kind, content=text, items=(text,), term=text, definition=text, language=language), title=text)
    assert "<script" not in rendered.html
    assert Elements(rendered.html).names <= ALLOWED


def test_nothing_of_a_block_is_left_out_of_either_form():
    names = ["title", "content", "section_summary", "question", "answer", "term", "definition"]
    for kind in ContentType:
        if kind is ContentType.VISUAL_PLACEHOLDER:
            continue
        fields = {name: f"the {name.replace('_', ' ')} text" for name in names}
        rendered = note(
            block(kind, **fields, key_points=("point one",), items=("item one",)), summary="the summary text"
        )
        for text in [*fields.values(), "point one", "item one", "the summary text"]:
            assert text in rendered.markdown, (kind, text)
            assert text in rendered.html, (kind, text)


def test_headings_come_below_the_title_and_end_at_six():
    blocks = [block(ContentType.HEADING, content=f"H{n}", level=n) for n in range(1, 7)]
    rendered = note(*blocks)
    assert "# T\n\n## H1\n\n### H2\n\n#### H3\n\n##### H4\n\n###### H5\n\n###### H6\n" in rendered.markdown
    assert "<h1>T</h1>\n<h2>H1</h2>" in rendered.html
    assert "<h6>H6</h6>" in rendered.html


def test_code_fences_are_longer_than_any_run_of_backticks_inside():
    code = "```\n````evil\n</code><script>"
    rendered = note(block(ContentType.CODE_BLOCK, content=code, language="py"), block(content="after"))
    (fence,) = [token for token in COMMONMARK.parse(rendered.markdown) if token.type == "fence"]
    assert (fence.content, fence.info, fence.markup) == (code + "\n", "py", "`````")
    assert '<pre><code class="language-py">```\n````evil\n&lt;/code&gt;&lt;script&gt;</code></pre>' in rendered.html


def test_a_language_that_is_no_name_is_left_out():
    rendered = note(block(ContentType.CODE_BLOCK, content="x", language='py" onclick="y'))
    assert "onclick" not in rendered.html + rendered.markdown


def test_boxes_carry_their_label_in_the_language_of_the_note():
    box = block(ContentType.KEY_TAKEAWAY_BOX, content="line one\n\nline two")
    assert "> **Idea clave**\n>\n> line one\n>\n> line two" in note(box, language="spa").markdown
    assert '<div class="box key-takeaway-box">\n<p><strong>Key takeaway</strong></p>' in note(box).html
    assert labels_for("xyz") == labels_for("eng")


def test_list_items_of_several_lines_stay_in_their_list():
    markdown = note(block(ContentType.LIST, items=("one\nmore\n\nnext", "two")), block(content="after")).markdown
    kinds = [token.type for token in COMMONMARK.parse(markdown)]
    assert (kinds.count("list_item_open"), kinds.count("bullet_list_open")) == (2, 1)
    assert kinds[-4:] == ["bullet_list_close", "paragraph_open", "inline", "paragraph_close"]


def test_a_finished_visual_is_shown_with_its_attribution_in_every_place():
    place = block(ContentType.VISUAL_PLACEHOLDER, placeholder_id=placeholder_id("a dam"))
    marker = block(content="See [VISUAL::A  dam] here.")
    found = visual("A dam", alt_text="A dam", source_url="https://pics.org/p?a=1&b=2", source_title="Dams [big]")
    rendered = note(place, marker, visuals=[found])
    assert rendered.markdown.count("![A dam](https://pics.org/a.png)") == 2
    assert r"*Picture: [Dams \[big\]](https://pics.org/p?a=1&b=2), serper*" in rendered.markdown
    assert rendered.html.count('<img src="https://pics.org/a.png" alt="A dam">') == 2
    assert 'href="https://pics.org/p?a=1&amp;b=2"' in rendered.html
    assert "VISUAL::" not in rendered.markdown + rendered.html
    assert "See here." in rendered.markdown


def test_an_offline_picture_is_shown_from_our_own_path():
    drawn = visual("Dam", image_url="/api/visuals/12/image", provider="offline picture")
    rendered = note(block(content="[VISUAL::dam]"), visuals=[drawn])
    assert "![Dam](/api/visuals/12/image)\n\n*Picture: offline picture*" in rendered.markdown
    assert '<img src="/api/visuals/12/image" alt="Dam">' in rendered.html


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": VisualStatus.NO_IMAGE_FOUND, "error_message": "no image <provider>"}, "no image <provider>"),
        ({"status": VisualStatus.NO_IMAGE_FOUND}, "no picture was found"),
        ({"status": VisualStatus.FAILED}, "the picture could not be fetched"),
        ({"status": VisualStatus.PROCESSING}, "the picture was not made"),
        ({"image_url": "javascript:alert(1)"}, "the picture's address cannot be shown"),
        ({"image_url": "data:image/svg+xml,x"}, "the picture's address cannot be shown"),
        ({"image_url": None}, "the picture's address cannot be shown"),
    ],
)
def test_a_missing_picture_becomes_a_block_with_the_reason(fields, reason):
    rendered = note(block(content="text [VISUAL::A dam]"), visuals=[visual("A dam", **fields)])
    page = Elements(rendered.html)
    assert f"({reason})" in page.text
    assert "A dam" in page.text
    assert "img" not in page.names
    assert reason.split("<")[0] in rendered.markdown
    assert "javascript" not in rendered.markdown + rendered.html


def test_a_place_without_description_becomes_a_block_with_the_reason():
    lesson = lesson_from([{"content_type": "visual_placeholder"}, "b [VISUAL::]"])
    rendered = render("T", lesson, [], "eng")
    assert rendered.html.count("no description of the picture was given") == 2


def test_the_texts_of_a_picture_are_escaped():
    found = visual("d", alt_text='a" onload="x]', provider="<b>", source_url="https://e.org", source_title="")
    rendered = note(block(content="[VISUAL::d]"), visuals=[found])
    assert 'alt="a&quot; onload=&quot;x]"' in rendered.html
    assert ">https://e.org</a>, &lt;b&gt;</figcaption>" in rendered.html
    assert '![a" onload="x\\]](https://pics.org/a.png)' in rendered.markdown


def test_blocks_below_a_placeholder_are_kept():
    rendered = note(block(ContentType.VISUAL_PLACEHOLDER, sub_structure=(block(content="inner"),)))
    assert "inner" in rendered.markdown


def test_a_bad_link_of_an_attribution_leaves_its_text():
    found = visual("A dam", source_url="javascript:alert(1)", source_title='<b>"x"</b>')
    rendered = note(block(content="[VISUAL::A dam]"), visuals=[found])
    assert "<figcaption>Picture: &lt;b&gt;&quot;x&quot;&lt;/b&gt;, serper</figcaption>" in rendered.html
    assert "javascript" not in rendered.html + rendered.markdown


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://e.org/a b.png", "https://e.org/a%20b.png"),
        ('http://e.org/"><script>', "http://e.org/%22%3E%3Cscript%3E"),
        ("HTTPS://E.org/x?a=1&b=%20#f", "HTTPS://E.org/x?a=1&b=%20#f"),
        ("https://e.org/día", "https://e.org/d%C3%ADa"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("//e.org/x", None),
        ("/api/visuals/1/image", None),
        ("https://", None),
        ("https://[bad", None),
        ("ftp://e.org", None),
        ("", None),
        (None, None),
    ],
)
def test_links_are_http_or_https_only(url, link):
    assert web_link(url) == link


@pytest.mark.parametrize("url", ["/api/visuals/1/image?x", "/api/visuals/../image", "/api/visuals/1/image\n", "/etc"])
def test_only_the_exact_path_of_a_picture_of_ours_may_be_shown(url):
    assert image_link(url) is None


@given(st.text(alphabet=st.sampled_from("htps:/e.og()[]<>\"'& ;\n\\`*é"), max_size=30))
def test_any_link_stays_one_link_in_markdown(tail):
    found = visual("d", image_url="https://e.org/" + tail, source_url="https://e.org/" + tail)
    markdown = note(block(content="[VISUAL::d]"), visuals=[found]).markdown
    children = [child for token in COMMONMARK.parse(markdown) for child in token.children or []]
    (image,) = [child for child in children if child.type == "image"]
    (link,) = [child for child in children if child.type == "link_open"]
    expected = str(web_link("https://e.org/" + tail)).replace("(", "%28").replace(")", "%29")
    assert str(link.attrs["href"]).replace("'", "%27") == expected.replace("'", "%27").replace("[", "%5B").replace(
        "]", "%5D"
    )
    assert image.attrs["src"] == link.attrs["href"]
