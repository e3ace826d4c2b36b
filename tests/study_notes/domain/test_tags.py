"""Tags of a note."""

from systems.study_notes.domain.tags import chosen_tags


def test_tags_are_distinct_tidy_and_at_most_five():
    suggested = ["#Water", " water ", "Mill  wheel", "", "Dams", "Energy", "Rivers", "Rain"]
    assert chosen_tags(suggested, "") == ["Water", "Mill wheel", "Dams", "Energy", "Rivers"]


def test_too_few_are_filled_up_from_the_text():
    assert chosen_tags(["Water"], "turbine sluices turbine reservoir reservoir") == ["Water", "turbine", "reservoir"]
    assert chosen_tags([], "so few") == []
