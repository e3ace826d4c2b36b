"""What a search brings, before it is known how good it is."""

from dataclasses import dataclass
from datetime import datetime

from systems.learning_plans.domain.doc_sites import doc_score, host_of
from systems.learning_plans.domain.relevance import relevance
from systems.learning_plans.domain.resources import Candidate, ResourceType
from systems.learning_plans.domain.video_score import video_score

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class FoundVideo:
    """A video that may be shown anywhere. `views` is not negative; `published_at` is aware, None when not told."""

    url: str
    title: str
    channel: str | None
    views: int
    published_at: datetime | None
    minutes: float


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of documentation that is there. `modified_at` is aware, None when not told."""

    url: str
    title: str
    modified_at: datetime | None = None


def video_candidate(query: str, video: FoundVideo, now: datetime) -> Candidate:
    """The video with its score for a query at a time; one without a date counts as a year old."""
    relevant = relevance(query, video.title)
    age = 365.0 if video.published_at is None else _days(video.published_at, now)
    return Candidate(
        type=ResourceType.YOUTUBE,
        url=video.url,
        title=video.title,
        domain=host_of(video.url) or "",
        score=video_score(views=video.views, age_days=age, relevance=relevant, minutes=video.minutes),
        relevance=relevant,
        author=video.channel,
        duration_minutes=round(video.minutes) or None,
    )


def page_candidate(query: str, page: FoundPage, now: datetime) -> Candidate:
    """The page with its score for a query at a time."""
    relevant = relevance(query, page.title)
    host = host_of(page.url) or ""
    age = None if page.modified_at is None else _days(page.modified_at, now)
    return Candidate(
        type=ResourceType.DOC,
        url=page.url,
        title=page.title,
        domain=host,
        score=doc_score(host=host, relevance=relevant, age_days=age),
        relevance=relevant,
    )


def _days(then: datetime, now: datetime) -> float:
    return (now - then).total_seconds() / _DAY_S
