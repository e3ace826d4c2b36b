"""A local server that speaks the wires of the search services, counts what it is asked, and fails on request."""

import json
from collections import Counter
from dataclasses import dataclass, field

from werkzeug import Request, Response

from tests.support.wires import Wires

YOUTUBE, GOOGLE, MDN = "/youtube/v3", "/customsearch/v1", "/mdn"
YOUTUBE_KEY, GOOGLE_KEY, ENGINE = "youtube-secret", "google-secret", "engine-id"


@dataclass(frozen=True)
class Video:
    """What the service knows of a video; `duration` is ISO 8601."""

    id: str
    title: str
    channel: str = "A channel"
    views: str | None = "9999999"
    published: str = "2026-11-01T12:00:00Z"
    duration: str = "PT10M"
    privacy: str = "public"
    embeddable: bool = True

    def searched(self) -> dict[str, object]:
        """As `search.list` has it."""
        return {
            "kind": "youtube#searchResult",
            "id": {"kind": "youtube#video", "videoId": self.id},
            "snippet": {"title": self.title.replace("&", "&amp;"), "channelTitle": self.channel},
        }

    def detailed(self) -> dict[str, object]:
        """As `videos.list` has it."""
        return {
            "kind": "youtube#video",
            "id": self.id,
            "snippet": {"title": self.title, "channelTitle": self.channel, "publishedAt": self.published},
            "contentDetails": {"duration": self.duration, "definition": "hd"},
            "statistics": {} if self.views is None else {"viewCount": self.views},
            "status": {"uploadStatus": "processed", "privacyStatus": self.privacy, "embeddable": self.embeddable},
        }


@dataclass
class SearchWires(Wires):
    """The server. `videos`, `google` and `mdn` are what is found by every query, unless `by_word` names other videos
    for a word of it."""

    videos: list[Video] = field(default_factory=list)
    by_word: dict[str, list[Video]] = field(default_factory=dict)
    google: list[dict[str, object]] = field(default_factory=list)
    mdn: list[dict[str, object]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    heads: Counter[str] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)

    def page(self, name: str) -> str:
        """The address of a page of documentation that is there unless its name is in `gone`."""
        return f"{self.url}/docs/{name}"

    def answer(self, request: Request) -> Response:
        """See the base class."""
        if request.method == "HEAD" or request.path.startswith("/docs/"):
            return self._page(request)
        if request.path.startswith(YOUTUBE):
            return self._youtube(request)
        if request.path == GOOGLE:
            return self._google(request)
        self._asked(request)
        return _json({"documents": self.mdn, "metadata": {"total": {"value": len(self.mdn)}}, "suggestions": []})

    def _page(self, request: Request) -> Response:
        name = request.path.removeprefix("/docs/")
        with self.lock:
            self.heads[name] += request.method == "HEAD"
        return Response("", 404 if name in self.gone else 200, content_type="text/html")

    def _youtube(self, request: Request) -> Response:
        if request.args.get("key") != YOUTUBE_KEY:
            return _json({"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}, 400)
        if request.path == f"{YOUTUBE}/search":
            query = self._asked(request)
            found = next((videos for word, videos in self.by_word.items() if word in query.split()), self.videos)
            return _json({"kind": "youtube#searchListResponse", "items": [video.searched() for video in found]})
        ids = request.args["id"].split(",")
        known = {video.id: video for videos in (self.videos, *self.by_word.values()) for video in videos}
        details = [known[one].detailed() for one in sorted(ids) if one in known]
        return _json({"kind": "youtube#videoListResponse", "items": details})

    def _google(self, request: Request) -> Response:
        if (request.args.get("key"), request.args.get("cx")) != (GOOGLE_KEY, ENGINE):
            return _json({"error": {"code": 403, "message": "The request is missing a valid API key."}}, 403)
        self._asked(request)
        return _json({"kind": "customsearch#search"} | ({"items": self.google} if self.google else {}))

    def _asked(self, request: Request) -> str:
        with self.lock:
            self.queries.append(request.args["q"])
        return request.args["q"]


def _json(value: object, code: int = 200) -> Response:
    return Response(json.dumps(value), code, content_type="application/json; charset=UTF-8")
