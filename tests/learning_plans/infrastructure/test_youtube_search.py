from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from systems.learning_plans.application.curation_ports import SearchFailed, Waiting
from systems.learning_plans.domain.found import FoundVideo
from systems.learning_plans.infrastructure.search_api import SearchApi
from systems.learning_plans.infrastructure.youtube_search import YouTubeSearch, minutes_of
from tests.learning_plans.wires.search_wires import YOUTUBE, SearchWires, Video
from tests.support import faults

SEARCH, VIDEOS = f"{YOUTUBE}/search", f"{YOUTUBE}/videos"


@pytest.fixture
def youtube(api: Callable[..., SearchApi]) -> YouTubeSearch:
    return YouTubeSearch(api("YouTube"))


async def test_one_search_and_one_call_for_all_details(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting
) -> None:
    wires.videos = [
        Video("zeta", "Joins & views", duration="PT1H2M30S", views="12"),
        Video("alpha", "Indexes", views=None),
    ]
    assert await youtube.search("SQL joins", waiting) == [
        FoundVideo(
            "https://www.youtube.com/watch?v=zeta", "Joins & views", "A channel", 12,
            datetime(2026, 11, 1, 12, tzinfo=UTC), 62.5,
        ),
        FoundVideo(
            "https://www.youtube.com/watch?v=alpha", "Indexes", "A channel", 0,
            datetime(2026, 11, 1, 12, tzinfo=UTC), 10.0,
        ),
    ]  # fmt: skip
    assert dict(wires.calls) == {SEARCH: 1, VIDEOS: 1}
    assert wires.queries == ["SQL joins"]


async def test_ten_videos_in_high_definition_are_asked_for(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting
) -> None:
    asked: list[dict[str, str]] = []

    def look(request):
        asked.append(request.args.to_dict())
        return faults.body(b"{}")(request)

    wires.faults[SEARCH].append(look)
    assert await youtube.search("SQL", waiting) == []
    assert (
        asked[0].items() >= {"type": "video", "videoDefinition": "high", "maxResults": "10", "part": "snippet"}.items()
    )
    assert wires.calls[VIDEOS] == 0


@pytest.mark.parametrize(
    ("video", "found"),
    [
        (Video("a", "t", privacy="unlisted"), 1),
        (Video("a", "t", privacy="private"), 0),
        (Video("a", "t", embeddable=False), 0),
        (Video("a", " "), 0),
        (Video("a&b", "t"), 0),
    ],
)
async def test_only_what_everybody_may_see_everywhere_is_found(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting, video: Video, found: int
) -> None:
    wires.videos = [video]
    assert len(await youtube.search("SQL", waiting)) == found


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"items": 7}',
        b'{"items": [null, {}, {"id": "a"}, {"id": {"videoId": 7}}, {"id": {"channelId": "c"}}]}',
    ],
)
async def test_an_odd_answer_is_nothing_found(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting, answer: bytes
) -> None:
    wires.faults[SEARCH].append(faults.body(answer))
    assert await youtube.search("SQL", waiting) == []


@pytest.mark.parametrize("details", [b"{}", b'{"items": [{"id": "a"}]}', b'{"items": [{"id": "a", "status": []}]}'])
async def test_odd_details_are_nothing_found(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting, details: bytes
) -> None:
    wires.videos = [Video("a", "t")]
    wires.faults[VIDEOS].append(faults.body(details))
    assert await youtube.search("SQL", waiting) == []


async def test_odd_numbers_and_dates_count_as_none(
    youtube: YouTubeSearch, wires: SearchWires, waiting: Waiting
) -> None:
    wires.videos = [Video("a", "t", views="many", published="yesterday", duration="soon")]
    (found,) = await youtube.search("SQL", waiting)
    assert (found.views, found.published_at, found.minutes) == (0, None, 0.0)


async def test_a_key_that_is_not_valid_is_an_error(
    api: Callable[..., SearchApi], wires: SearchWires, waiting: Waiting
) -> None:
    with pytest.raises(SearchFailed, match="YouTube answered 400: API key not valid"):
        await YouTubeSearch(api("YouTube", secrets={"key": "wrong"})).search("SQL", waiting)


@pytest.mark.parametrize(
    ("duration", "minutes"),
    [("PT15M33S", 15.55), ("P1DT2H", 1560), ("P0D", 0), ("PT45S", 0.75), ("", 0), ("P1Y", 0), ("PT٣M", 3)],
)
def test_durations(duration: str, minutes: float) -> None:
    assert minutes_of(duration) == pytest.approx(minutes)
