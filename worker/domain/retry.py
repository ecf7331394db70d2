"""How long to wait before the next try."""

from datetime import timedelta

FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
_MOST_DOUBLINGS = 16


def back_off(failures: int, jitter: float, wished: timedelta | None = None) -> timedelta:
    """The delay after so many failures in a row (1, 2, …), doubling up to five minutes.

    `jitter` from 0 to 1 spreads it over the upper half, so that lanes that failed together don't return together.
    What the ERP wished for is a floor.
    """
    doublings = min(failures - 1, _MOST_DOUBLINGS)
    full = min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)
    spread = full / 2 + full / 2 * jitter
    return max(spread, wished or timedelta())


def confirmation_delay(age: timedelta, first: timedelta) -> timedelta:
    """How long until a staged import is looked at again: a tenth of its age, at least `first`, at most five minutes."""
    return min(max(age / 10, first), LONGEST_DELAY)
