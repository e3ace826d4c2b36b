from datetime import timedelta

import pytest

from systems.learning_plans.domain.doc_sites import doc_score
from systems.learning_plans.domain.found import FoundPage, FoundVideo, page_candidate, video_candidate
from systems.learning_plans.domain.resources import ResourceType
from systems.learning_plans.domain.video_score import video_score
from tests.learning_plans.application.curation_fakes import NOW

URL = "https://www.youtube.com/watch?v=a"


@pytest.mark.parametrize(
    ("published", "age"), [(NOW - timedelta(days=73), 73), (NOW + timedelta(days=9), -9), (None, 365)]
)
def test_a_video_is_scored_by_its_age_or_as_a_year_old(published, age: float) -> None:
    found = video_candidate("SQL joins", FoundVideo(URL, "SQL for all", "Mills", 99, published, 12.6), NOW)
    assert found.score == video_score(views=99, age_days=age, relevance=0.5, minutes=12.6)
    assert (found.type, found.url, found.domain) == (ResourceType.YOUTUBE, URL, "www.youtube.com")
    assert (found.relevance, found.author, found.duration_minutes) == (0.5, "Mills", 13)


def test_a_length_that_is_not_known_is_none() -> None:
    assert video_candidate("SQL", FoundVideo(URL, "SQL", None, 0, None, 0.2), NOW).duration_minutes is None


@pytest.mark.parametrize(("modified", "age"), [(NOW - timedelta(hours=12), 0.5), (None, None)])
def test_a_page_is_scored_by_its_site_and_age(modified, age: float | None) -> None:
    found = page_candidate("SQL joins", FoundPage("https://docs.python.org/3/", "SQL", modified), NOW)
    assert found.score == doc_score(host="docs.python.org", relevance=0.5, age_days=age)
    assert (found.type, found.domain, found.author) == (ResourceType.DOC, "docs.python.org", None)
