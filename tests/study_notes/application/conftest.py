"""A fresh world per test."""

import pytest

from tests.study_notes.application.fakes import FixedClock, World


@pytest.fixture
def world():
    return World()


@pytest.fixture
def clock():
    return FixedClock()
