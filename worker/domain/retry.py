"""How long to wait before the next try."""

from datetime import timedelta

FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
LONGEST_DOUBT = timedelta(seconds=30)
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


def pause_after(attempt: int) -> timedelta:
    """Before an item of unknown outcome is sent again, where that is the look-up. Without jitter: it is one item.

    At most half a minute: the attempts before may have ended otherwise, and a doubt should not last for their sake.
    """
    return min(back_off(attempt, jitter=1.0), LONGEST_DOUBT)


FIRST_PROBE = timedelta(seconds=10)
LONGEST_PROBE = timedelta(hours=1)


def probe_delay(refusals: int, jitter: float) -> timedelta:
    """Until a suspended connector is tried again, after so many refusals in a row (1, 2, …): doubling up to an hour.

    Wrong credentials that are tried too often get an account locked.
    """
    full = min(FIRST_PROBE * (1 << min(refusals - 1, _MOST_DOUBLINGS)), LONGEST_PROBE)
    return full / 2 + full / 2 * jitter
