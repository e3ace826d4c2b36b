"""Videos by the YouTube Data API v3: https://developers.google.com/youtube/v3/docs"""

import re
from collections.abc import Sequence

from systems.learning_plans.application.curation_ports import Waiting
from systems.learning_plans.domain.found import FoundVideo
from systems.learning_plans.infrastructure.json_fields import Fields, inner, items, moment, text
from systems.learning_plans.infrastructure.search_api import SearchApi

RESULTS = 10
MAX_TITLE_CHARS = 500
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# ISO 8601 as `contentDetails.duration` has it; a live stream that has not ended is P0D.
_DURATION = re.compile(
    r"P(?:(?P<days>\d{1,4})D)?(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,9})S)?)?"
)
_MINUTES = {"days": 1440.0, "hours": 60.0, "minutes": 1.0, "seconds": 1 / 60}


class YouTubeSearch:
    """The port `Search` for videos: `GET /search`, then one `GET /videos` for all that it found."""

    def __init__(self, api: SearchApi) -> None:
        self._api = api

    async def search(self, query: str, waiting: Waiting, /) -> Sequence[FoundVideo]:
        """See the port."""
        wanted = {
            "part": "snippet",
            "type": "video",
            "videoDefinition": "high",
            "maxResults": str(RESULTS),
            "q": query,
        }
        ids = _ids(await self._api.get("/search", wanted, waiting))
        if not ids:
            return []
        parts = {"part": "snippet,contentDetails,statistics,status", "id": ",".join(ids)}
        told = {text(video, "id"): video for video in items(await self._api.get("/videos", parts, waiting), "items")}
        found = (_video(video_id, told[video_id]) for video_id in ids if video_id in told)
        return [video for video in found if video is not None]


def minutes_of(duration: str) -> float:
    """Minutes of an ISO 8601 duration, 0 for what is none."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return 0.0
    return sum(int(number) * _MINUTES[unit] for unit, number in match.groupdict(default="0").items())


def _ids(answer: Fields) -> list[str]:
    found = (text(inner(item, "id"), "videoId") for item in items(answer, "items"))
    return list(dict.fromkeys(one for one in found if _VIDEO_ID.fullmatch(one)))[:RESULTS]


def _video(video_id: str, told: Fields) -> FoundVideo | None:
    """None for one that not everybody may see everywhere."""
    snippet, status = inner(told, "snippet"), inner(told, "status")
    title = text(snippet, "title")[:MAX_TITLE_CHARS]
    if status.get("privacyStatus") not in ("public", "unlisted") or status.get("embeddable") is not True or not title:
        return None
    return FoundVideo(
        url=f"https://www.youtube.com/watch?v={video_id}",
        title=title,
        channel=text(snippet, "channelTitle")[:MAX_TITLE_CHARS] or None,
        views=_count(text(inner(told, "statistics"), "viewCount")),
        published_at=moment(text(snippet, "publishedAt")),
        minutes=minutes_of(text(inner(told, "contentDetails"), "duration")),
    )


def _count(digits: str) -> int:
    """0 when the number is hidden."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else 0
