"""Which pending items may go: two sequence numbers on the connector decide."""

from dataclasses import dataclass
from enum import StrEnum


class ReleasePolicy(StrEnum):
    ON_ENABLE = "on_enable"
    NEXT_SYNC = "next_sync"


@dataclass(frozen=True, slots=True)
class Marks:
    """What has seq <= `released_through` or seq > `enabled_mark` is released; the rest waits for the next run."""

    enabled_mark: int
    released_through: int

    def releases(self, seq: int) -> bool:
        return seq <= self.released_through or seq > self.enabled_mark


def marks_at_enable(policy: ReleasePolicy, marks: Marks, last_seq: int) -> Marks:
    """`on_enable` releases everything; `next_sync` only what arrives from now on."""
    released = last_seq if policy is ReleasePolicy.ON_ENABLE else marks.released_through
    return Marks(enabled_mark=last_seq, released_through=released)


def marks_at_run(marks: Marks, last_seq: int) -> Marks:
    """A run releases everything that has arrived by its start."""
    return Marks(enabled_mark=marks.enabled_mark, released_through=max(marks.released_through, last_seq))
