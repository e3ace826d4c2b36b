from systems.learning_plans.infrastructure.answer_cache import AnswerCache
from tests.learning_plans.infrastructure.virtual_time import VirtualTime


def test_an_answer_is_kept_for_five_minutes() -> None:
    time = VirtualTime()
    cache = AnswerCache(monotonic=time.monotonic)
    cache.put("a", {"n": 1})
    time.now = 299.9
    assert cache.get("a") == {"n": 1}
    time.now = 300
    assert cache.get("a") is None
    assert cache.get("b") is None


def test_the_oldest_answers_make_room() -> None:
    cache = AnswerCache(size=2)
    for name in "abac":
        cache.put(name, {"name": name})
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]
