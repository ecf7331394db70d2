"""The audit of the sync log is held to what it should notice."""

from dataclasses import replace

import pytest

from tests.chaos.arena import House
from tests.chaos.switchboard import Logged, Wish, audit

HOUSE = House("x1-abc", "xledger", "x1")


def wish(number: int, *, enabled: bool, revision: int | None = None, is_allowed: bool = True) -> Wish:
    return Wish(HOUSE, f"Wish {number}", enabled, revision, is_allowed, "kafka")


WISHES = [
    wish(1, enabled=False, revision=4),
    wish(2, enabled=True, revision=3),
    wish(3, enabled=False),
    wish(4, enabled=True, is_allowed=False),
    wish(5, enabled=True, revision=5),
]
LOG = [
    Logged("a test", "connector_enabled", "cli"),
    Logged("Wish 1", "connector_disabled", "kafka"),
    Logged("Wish 2", "toggle_superseded", "kafka"),
    Logged("Wish 3", "toggle_unchanged", "kafka"),
    Logged("Wish 4", "toggle_refused", "kafka"),
    Logged("The ERP refuses.", "connector_suspended", "worker"),
    Logged("Wish 5", "connector_enabled", "kafka"),
]


def told(log: list[Logged]) -> list[str]:
    return audit({HOUSE.organization_id: log}, WISHES)


def test_a_log_that_tells_of_every_wish_what_became_of_it_is_in_order() -> None:
    assert told(LOG) == []


@pytest.mark.parametrize("place", range(1, 5))
def test_a_wish_that_is_missing_or_told_twice_is_noticed(place: int) -> None:
    assert told(LOG[:place] + LOG[place + 1 :]) != []
    assert told(LOG[: place + 1] + LOG[place:]) != []


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 6])
@pytest.mark.parametrize("change", [{"change": "toggle_applied"}, {"source": "http"}])
def test_a_verdict_or_a_way_in_that_is_wrong_is_noticed(place: int, change: dict[str, str]) -> None:
    is_own = place == 0 and "source" in change
    wrong = [*LOG[:place], replace(LOG[place], **change), *LOG[place + 1 :]]
    assert (told(wrong) == []) == is_own


def test_an_overtaken_wish_that_was_applied_is_noticed() -> None:
    assert told([*LOG[:2], replace(LOG[2], change="connector_enabled"), *LOG[3:]]) != []
