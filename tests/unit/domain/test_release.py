"""Which pending items may go, after enables and runs in any order."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.release import Marks, ReleasePolicy, marks_at_enable, marks_at_run

FRESH = Marks(enabled_mark=0, released_through=0)
EVENTS = st.lists(st.sampled_from(["arrive", "enable", "run"]), max_size=30)


@dataclass
class _Story:
    """A second account of the rule, item by item, to hold against the two marks."""

    policy: ReleasePolicy
    marks: Marks = FRESH
    last_seq: int = 0
    enabled: bool = False
    held: frozenset[int] = frozenset()

    def tell(self, event: str) -> None:
        match event:
            case "arrive":
                self.last_seq += 1
            case "enable":
                self._enable()
            case "run":
                if self.enabled:
                    self.marks = marks_at_run(self.marks, self.last_seq)
                    self.held = frozenset()

    def _enable(self) -> None:
        released = self.marks.released_through
        self.marks = marks_at_enable(self.policy, self.marks, self.last_seq)
        self.enabled = True
        waited = frozenset(range(released + 1, self.last_seq + 1))
        self.held = frozenset() if self.policy is ReleasePolicy.ON_ENABLE else waited


def _released(story: _Story) -> set[int]:
    return {seq for seq in range(1, story.last_seq + 1) if story.marks.releases(seq)}


@given(EVENTS)
def test_on_enable_holds_nothing_back_once_it_is_enabled(events: list[str]) -> None:
    story = _Story(ReleasePolicy.ON_ENABLE)
    for event in ["enable", *events]:
        story.tell(event)
        assert _released(story) == set(range(1, story.last_seq + 1))


@given(EVENTS)
def test_next_sync_holds_exactly_what_waited_at_the_enable_until_a_run_takes_it(events: list[str]) -> None:
    story = _Story(ReleasePolicy.NEXT_SYNC)
    for event in [*events, "enable", *events]:
        story.tell(event)
        if story.enabled:
            assert _released(story) == set(range(1, story.last_seq + 1)) - story.held


def test_next_sync_lets_what_is_approved_after_the_enable_go_at_once() -> None:
    marks = marks_at_enable(ReleasePolicy.NEXT_SYNC, FRESH, last_seq=10)
    assert [marks.releases(seq) for seq in (1, 10, 11)] == [False, False, True]


def test_a_run_releases_what_had_arrived_by_its_start() -> None:
    marks = marks_at_run(marks_at_enable(ReleasePolicy.NEXT_SYNC, FRESH, last_seq=10), last_seq=12)
    assert all(marks.releases(seq) for seq in range(1, 20))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100))
def test_a_run_never_takes_a_release_back(enabled_mark: int, released_through: int, last_seq: int) -> None:
    before = Marks(enabled_mark, released_through)
    after = marks_at_run(before, last_seq)
    assert all(after.releases(seq) for seq in range(1, 120) if before.releases(seq))


@given(st.sampled_from(ReleasePolicy), st.integers(0, 50))
def test_what_a_run_released_before_an_off_and_on_stays_released(policy: ReleasePolicy, last_seq: int) -> None:
    ran = marks_at_run(marks_at_enable(policy, FRESH, last_seq), last_seq)
    again = marks_at_enable(policy, ran, last_seq + 5)
    assert all(again.releases(seq) for seq in range(1, last_seq + 1))
