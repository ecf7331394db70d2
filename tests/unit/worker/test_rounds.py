"""Loops that look again and again."""

import asyncio
from datetime import timedelta

from structlog.testing import capture_logs

from worker.progress import LoopName
from worker.rounds import in_rounds
from worker.store.database import DatabaseAwayError

AN_AGE = timedelta(hours=1)


class Beats:
    """Stops the loop at its so-many-th round."""

    def __init__(self, rounds: int) -> None:
        self.stop = asyncio.Event()
        self.rests: list[float] = []
        self._rounds = rounds

    def __call__(self, rests: float = 0.0, *, in_vain: bool | None = None) -> None:
        assert in_vain is None
        self.rests.append(rests)
        if len(self.rests) == self._rounds:
            self.stop.set()


async def test_a_database_that_is_away_is_told_and_the_next_round_comes() -> None:
    beats, done = Beats(3), 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 2:
            raise DatabaseAwayError("ConnectionRefusedError")

    with capture_logs() as logs:
        await in_rounds(LoopName.ALARMS, work, beats.stop, every=timedelta(), beat=beats)
    assert done == 3
    assert logs == [
        {
            "event": "round_waits_for_database",
            "log_level": "warning",
            "loop": "alarms",
            "error": "ConnectionRefusedError",
        }
    ]


async def test_a_stop_ends_the_pause_at_once() -> None:
    beats = Beats(1)

    async def work() -> None:
        """Nothing to do."""

    await in_rounds(LoopName.ALARMS, work, beats.stop, every=AN_AGE, beat=beats)
    assert beats.rests == [AN_AGE.total_seconds()]
