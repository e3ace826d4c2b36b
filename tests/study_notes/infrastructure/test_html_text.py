import pytest

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.infrastructure.documents import document_text
from systems.study_notes.infrastructure.html_text import html_to_text

PAGE = """<!doctype html>
<html><head><title>Mills</title><style>p { color: red }</style><script>alert("style")</script></head>
<body>
<nav><a href="/">Home</a></nav>
<h1>Water <em>mills</em></h1>
<p>A mill &amp; its wheel.<br>It turns<script>alert(1)</script> slowly.</p>
Loose text <b>between</b> blocks.
<h2>Parts</h2>
<ul><li>The <a href="javascript:x()">wheel</a><ul><li>spokes</li><li>buckets</li></ul></li>
<li><p>The flume</p></li></ul>
<ol><li>Open the gate</li><li>Wait</li></ol>
<pre><code>def head():
    return "``` x"
</code></pre>
<table><tr><th>Wheel</th><th>Share</th></tr><tr><td>Overshot</td><td>0.8</td></tr></table>
<p hidden>secret</p><p style="display: none">secret</p>
<noscript>secret</noscript><iframe src="x">secret</iframe>
<form><input value="secret"><button>secret</button></form>
<footer>secret</footer>
</body></html>"""


def test_a_page_becomes_headings_and_text() -> None:
    assert html_to_text(PAGE).split("\n\n") == [
        "# Water mills",
        "A mill & its wheel. It turns slowly.",
        "Loose text between blocks.",
        "## Parts",
        "- The wheel\n  - spokes\n  - buckets\n- The flume",
        "1. Open the gate\n2. Wait",
        '````\ndef head():\n    return "``` x"\n````',
        "Wheel | Share",
        "Overshot | 0.8",
    ]


@pytest.mark.parametrize("word", ["alert", "secret", "color", "javascript", "Home", "<"])
def test_nothing_active_or_hidden_is_left(word: str) -> None:
    assert word not in html_to_text(PAGE)


def test_only_the_main_part_is_read_when_there_is_one() -> None:
    assert html_to_text("<p>before</p><main><h1>Mill</h1><p>text</p></main><p>after</p>") == "# Mill\n\ntext"


def test_the_title_heads_a_page_that_has_no_first_level_heading() -> None:
    assert html_to_text("<title>Mills</title><h2>Parts</h2><p>text") == "# Mills\n\n## Parts\n\ntext"


def test_a_paragraph_that_begins_with_a_hash_is_no_heading() -> None:
    assert html_to_text("<p># not a heading</p><p>#tag") == "\\# not a heading\n\n#tag"


def test_inline_wrappers_around_blocks_do_not_hide_them() -> None:
    assert html_to_text("<span><p>one</p><p>two</p></span>") == "one\n\ntwo"


@pytest.mark.parametrize("page", ["", "<!-- nothing -->", "<html></html>", "<title>only</title>", "<script>x</script>"])
def test_a_page_without_words_is_empty(page: str) -> None:
    assert html_to_text(page) == ""


@pytest.mark.parametrize("depth", [100, 250])
def test_nested_elements_are_read(depth: int) -> None:
    assert html_to_text("<div>" * depth + "deep" + "</div>" * depth + "<p>after") == "deep\n\nafter"


@pytest.mark.parametrize("tag", ["div", "span", "ul", "li", "b", "table", "blockquote"])
@pytest.mark.parametrize("depth", [900, 3_000, 50_000])
def test_absurd_nesting_does_no_harm(tag: str, depth: int) -> None:
    assert isinstance(html_to_text(f"<{tag}>" * depth + "deep"), str)


def test_an_encoding_declared_by_the_page_is_used() -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body><p>Młyn żyje</p></body></html>'
    assert document_text(page.encode("iso-8859-2"), "a.html") == "Młyn żyje"


@pytest.mark.parametrize("name", ["no-such-encoding", "hex", "utf-7", "utf-16"])
def test_a_false_declaration_does_no_harm(name: str) -> None:
    page = f'<html><head><meta charset="{name}"></head><body><p>caf\xe9 +ADw-</p></body></html>'
    assert document_text(page.encode("latin-1"), "a.html") == "café +ADw-"


def test_a_page_of_pictures_is_refused() -> None:
    with pytest.raises(PermanentSourceError, match="no words"):
        document_text(b"<html><body><img src=a.png></body></html>", "a.html")
