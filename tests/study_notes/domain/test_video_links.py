import pytest

from systems.study_notes.domain.video_links import video_id, watch_url

ID = "aqz-KE-bpKQ"


@pytest.mark.parametrize(
    "url",
    [
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?v={ID}&t=10s&list=PL1",
        f"https://m.youtube.com/watch?app=desktop&v={ID}",
        f"https://youtu.be/{ID}",
        f"https://youtu.be/{ID}?si=x#t=3",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}/",
        f"HTTPS://WWW.YouTube.com:443/watch?v={ID}",
        f"  https://youtu.be/{ID}\n",
        watch_url(ID),
    ],
)
def test_links_to_a_video(url: str) -> None:
    assert video_id(url) == ID


@pytest.mark.parametrize(
    "url",
    [
        "",
        ID,
        f"youtube.com/watch?v={ID}",
        f"ftp://youtube.com/watch?v={ID}",
        f"javascript://youtube.com/watch?v={ID}",
        f"https://xyoutu.be/{ID}",
        f"https://youtu.be.evil.org/{ID}",
        f"https://evil.org/youtube.com/watch?v={ID}",
        f"https://youtube.com.evil.org/watch?v={ID}",
        f"https://music.youtube.com/watch?v={ID}",
        f"https://user@youtube.com/watch?v={ID}",
        f"https://youtube.com@evil.org/watch?v={ID}",
        f"https://youtube.com:8080/watch?v={ID}",
        f"https://youtube.com:x/watch?v={ID}",
        f"https://youtube.com\\@evil.org/watch?v={ID}",
        f"https://you\ttube.com/watch?v={ID}",
        f"https://[::1/watch?v={ID}",
        f"https://youtube.com./watch?v={ID}",
        "https://youtube.com/watch",
        f"https://youtube.com/watch?v={ID}x",
        f"https://youtube.com/watch?v={ID[:10]}",
        f"https://youtube.com/watch?v={ID}&v={ID}",
        "https://youtube.com/watch?v=aqz-KE-bpK%2F",
        f"https://youtube.com/v/{ID}",
        f"https://youtu.be/watch?v={ID}",
        f"https://youtu.be/{ID}/more",
        "https://youtube.com/playlist?list=PL1",
        f"https://youtu.be/{ID}?" + "x" * 2_000,
    ],
)
def test_anything_else_names_no_video(url: str) -> None:
    assert video_id(url) is None
