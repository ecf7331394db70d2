"""How far a sync run is, as its page tells it."""

from dataclasses import dataclass

from worker.domain.sentences import Sentence, say
from worker.views import RunView

QUARTERS = 4


@dataclass(frozen=True, slots=True)
class RunProgress:
    """`done` are those that the run brought to an end, or to a person; `total` is what it takes in all."""

    run: RunView
    done: int
    total: int

    @classmethod
    def of(cls, run: RunView) -> "RunProgress":
        counts = run.counts
        done = counts.synced + counts.rejected + counts.unknown
        return cls(run, done, done + counts.remaining)

    @property
    def is_running(self) -> bool:
        return self.run.state == "running"

    @property
    def digest(self) -> str:
        """Another one where the page has something new to show."""
        counts = self.run.counts
        return f"{self.run.state}-{counts.synced}-{counts.rejected}-{counts.unknown}-{counts.remaining}"

    @property
    def milestone(self) -> Sentence:
        """What is read out as it comes up: not every step of the count."""
        match self.run.state:
            case "finished":
                return say("The sync run is finished: {result}", result=self.result)
            case "stopped":
                return say("The sync run was stopped: {result}", result=self.result)
            case _:
                quarter = QUARTERS * self.done // self.total if self.total else 0
                return say("{percent} % done.", percent=quarter * 100 // QUARTERS) if quarter else say("Started.")

    @property
    def told(self) -> Sentence:
        """The count of a run that is under way."""
        rejected = self.run.counts.rejected
        if rejected:
            return say(
                "{done} of {total} done, {rejected} rejected", done=self.done, total=self.total, rejected=rejected
            )
        return say("{done} of {total} done", done=self.done, total=self.total)

    @property
    def result(self) -> Sentence:
        counts = self.run.counts
        return say(
            "{synced} synced, {rejected} rejected, {unknown} with unknown outcome, {remaining} still waiting.",
            synced=counts.synced,
            rejected=counts.rejected,
            unknown=counts.unknown,
            remaining=counts.remaining,
        )
