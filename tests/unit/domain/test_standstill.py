"""What stands still is told from what moves, and from what was not there all the time."""

from worker.domain.standstill import Sign, look_again, standing


def test_what_stays_the_same_keeps_the_time_since_when() -> None:
    seen = look_again({}, {"a": 1}, now=10.0)
    seen = look_again(seen, {"a": 1}, now=15.0)
    assert seen == {"a": Sign(1, 10.0)}
    assert standing(seen, 5.0, now=15.0) == ["a"]
    assert standing(seen, 5.1, now=15.0) == []


def test_what_moves_begins_anew_and_its_neighbour_does_not() -> None:
    seen = look_again({}, {"a": 1, "b": 1}, now=0.0)
    seen = look_again(seen, {"a": 2, "b": 1}, now=9.0)
    assert seen == {"a": Sign(2, 9.0), "b": Sign(1, 0.0)}
    assert standing(seen, 9.0, now=9.0) == ["b"]


def test_what_was_not_there_for_a_look_is_forgotten() -> None:
    seen = look_again({}, {"a": None}, now=0.0)
    assert look_again(seen, {}, now=1.0) == {}
    assert look_again({}, {"a": None}, now=2.0) == {"a": Sign(None, 2.0)}
