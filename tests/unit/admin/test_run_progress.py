"""How far a run is, and what of it is read out."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from worker.admin.screens.run_progress import RunProgress
from worker.store.runs import RunKind
from worker.views import RunCountsView, RunView

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def progress(synced: int, rejected: int, unknown: int, remaining: int, state: str = "running") -> RunProgress:
    counts = RunCountsView(synced=synced, rejected=rejected, unknown=unknown, remaining=remaining)
    told = {"state": state, "kind": RunKind.MANUAL, "connector": "xledger", "requested_by": "user-9", "counts": counts}
    times = {"started_at": NOON, "finished_at": None}
    return RunProgress.of(RunView.model_validate({"organization_id": "hlf", "run_id": UUID(int=1), **told, **times}))


def test_what_is_rejected_or_unknown_is_done_too() -> None:
    assert progress(117, 2, 1, 280).told == "120 of 400 done, 2 rejected"
    assert progress(120, 0, 0, 280).told == "120 of 400 done"


@pytest.mark.parametrize(
    ("synced", "sentence"),
    [
        (0, "Started."),
        (99, "Started."),
        (100, "25 % done."),
        (199, "25 % done."),
        (200, "50 % done."),
        (399, "75 % done."),
    ],
)
def test_only_each_quarter_is_read_out(synced: int, sentence: str) -> None:
    assert progress(synced, 0, 0, 400 - synced).milestone == sentence


def test_the_end_is_read_out_with_what_came_of_it() -> None:
    ended = progress(397, 3, 0, 0, "finished")
    assert ended.milestone == (
        "The sync run is finished: 397 synced, 3 rejected, 0 with unknown outcome, 0 still waiting."
    )
    assert progress(1, 0, 0, 9, "stopped").milestone.startswith("The sync run was stopped: 1 synced")


def test_a_run_of_nothing_has_started_all_the_same() -> None:
    assert progress(0, 0, 0, 0).milestone == "Started."


def test_the_digest_tells_every_change() -> None:
    seen = {
        progress(1, 0, 0, 9).digest,
        progress(2, 0, 0, 8).digest,
        progress(1, 1, 0, 8).digest,
        progress(1, 0, 1, 8).digest,
        progress(1, 0, 0, 9, "stopped").digest,
    }
    assert len(seen) == 5
