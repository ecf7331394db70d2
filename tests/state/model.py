"""What PostgreSQL should hold: the protocol once more, as plain data. Nothing here knows SQL or asks the product."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.reference import reference_of
from worker.domain.release import ReleasePolicy
from worker.domain.states import ItemState as S
from worker.domain.states import OutcomeName as O
from worker.domain.states import Verdict

LATE_WINNERS = {O.POSTED, O.ACCEPTED, O.FOUND, O.NOT_SENT, O.DIFFERENT}
"""What settles an attempt that somebody has called unknown meanwhile."""
ENTRY_OF = {S.SENDING: "settled", S.CONFIRMING: "confirmed", S.UNKNOWN: "looked_up"}
Vendor = Literal["V-1", "V-2"]


@dataclass
class Item:
    """`arrival` is its place in the organisation's order. `sent_as`: the vendor in the last request.

    `is_due`: may be dealt with now. `is_old`: its import takes too long. `run`: the number of the run that took it.
    """

    name: str
    reference: str
    arrival: int
    amount: str
    state: S = S.PENDING
    attempt: int = 0
    is_due: bool = True
    for_person: bool = False
    is_quarantined: bool = False
    resends: bool = False
    absences: int = 0
    sent_as: Vendor | None = None
    is_old: bool = False
    run: int | None = None
    history: list[str] = field(default_factory=list)

    def record(self, attempt: int, kind: str, outcome: str) -> None:
        self.history.append(f"{attempt} {kind} {outcome}")

    def become(self, verdict: Verdict) -> None:
        self.state, self.absences = verdict.state, verdict.absences
        self.for_person = verdict.is_for_a_person
        self.is_due = verdict.due_in is None and not verdict.is_for_a_person
        self.is_quarantined |= verdict.quarantine is not None
        self.resends &= not verdict.is_resent_no_more

    def settle(self, attempt: int, from_state: S, verdict: Verdict) -> bool:
        """Whether the attempt's outcome changes the item; if not, it may be kept as evidence."""
        is_current = self.attempt == attempt
        is_awaited = self.state is from_state and (verdict.absences == 0 or self.absences == verdict.absences - 1)
        is_better = self.state is S.UNKNOWN and verdict.outcome in LATE_WINNERS
        kind = ENTRY_OF[from_state] if is_current and self.state is from_state else "late"
        waits_already = verdict.is_for_a_person and self.for_person
        if is_current and not waits_already and (is_awaited or is_better):
            self.become(verdict)
            self.record(attempt, kind, verdict.outcome)
            return True
        if not is_current or self.state is not verdict.state:
            self.record(attempt, kind, verdict.outcome)
        return False


@dataclass
class House:
    """An organisation with its connector and its lane. `holder` is the id of the worker that leases it.

    `vendors`: the claimant's in each version of the configuration. `arrived` counts approvals; the marks and `run_mark`
    are places in that order.
    """

    organization_id: str
    kind: str
    refuses_duplicates: bool
    policy: ReleasePolicy
    items: dict[str, Item] = field(default_factory=dict)
    arrived: int = 0
    enabled: bool = False
    suspended: bool = False
    quiesced: bool = True
    vendors: list[Vendor] = field(default_factory=lambda: ["V-1"])
    enabled_mark: int = 0
    released_through: int = 0
    runs: int = 0
    run_mark: int | None = None
    fence: int = 0
    holder: object | None = None
    is_leased: bool = False

    @property
    def vendor(self) -> Vendor:
        return self.vendors[-1]

    @property
    def version(self) -> int:
        return len(self.vendors)

    def vendor_in(self, version: int) -> Vendor:
        return self.vendors[version - 1]

    def configure(self, vendor: Vendor) -> None:
        self.vendors.append(vendor)
        self.suspended = False

    @property
    def is_open(self) -> bool:
        return self.enabled and not self.suspended

    @property
    def phase(self) -> str:
        if self.enabled:
            return "suspended" if self.suspended else "on"
        return "off" if self.quiesced else "switching_off"

    def in_order(self, *states: S) -> list[Item]:
        return [one for one in sorted(self.items.values(), key=lambda one: one.arrival) if one.state in states]

    def approve(self, name: str, amount: str) -> None:
        self.arrived += 1
        self.items[name] = Item(name, reference_of(self.organization_id, name), self.arrived, amount)

    def switch(self, enabled: bool) -> None:
        was_on = self.enabled
        self.enabled, self.suspended = enabled, False
        self.quiesced = not enabled and not self.in_order(S.SENDING)
        if enabled:
            if not was_on:
                self.run_mark = None
                self.enabled_mark = self.arrived
            if self.policy is ReleasePolicy.ON_ENABLE:
                self.start_run()
        elif self.quiesced:
            self.run_mark = None

    def start_run(self) -> None:
        if self.run_mark is None:
            self.runs += 1
        self.run_mark = self.released_through = self.arrived

    def finish_switching_off(self) -> bool:
        if self.enabled or self.quiesced or self.in_order(S.SENDING):
            return False
        self.quiesced, self.run_mark = True, None
        return True

    def is_run_done(self) -> bool:
        left = [one for one in self.in_order(S.PENDING) if one.arrival <= (self.run_mark or 0)]
        taken = [one for one in self.in_order(S.SENDING, S.CONFIRMING) if one.run == self.runs]
        return self.run_mark is not None and not left and not taken

    def is_released(self, item: Item) -> bool:
        return item.arrival <= self.released_through or item.arrival > self.enabled_mark

    def has_work(self) -> bool:
        """Whether somebody has to take the lane. What a probe is due for is left out: it hangs on chance."""
        if not self.is_open:
            return not self.enabled and not self.quiesced
        questions = [one for one in self.in_order(S.CONFIRMING, S.UNKNOWN) if one.is_due]
        return bool(questions or self.run_mark is not None or any(map(self.is_released, self.in_order(S.PENDING))))

    def lease(self, worker: object) -> None:
        """What the last holder left on the wire becomes unknown."""
        self.holder, self.is_leased, self.fence = worker, True, self.fence + 1
        for item in self.in_order(S.SENDING):
            item.state, item.is_due, item.is_quarantined = S.UNKNOWN, item.resends, True
            item.record(item.attempt, "settled", O.UNKNOWN)

    def holds(self, worker: object, fence: int) -> bool:
        return self.is_leased and (self.holder, self.fence) == (worker, fence)

    def claim(self, limit: int) -> Sequence[Item]:
        """Takes the oldest that may go: resends first. A resend that would not be the same request is looked up."""
        due = [one for one in self.in_order(S.UNKNOWN) if one.resends and one.is_due][:limit]
        for item in due:
            if item.sent_as != self.vendor:
                item.resends, item.is_due = False, not item.is_quarantined
        again = [one for one in due if one.resends]
        pending = [one for one in self.in_order(S.PENDING) if one.is_due and self.is_released(one)]
        chosen = [*again, *pending[: limit - len(again)]]
        for item in chosen:
            self._send(item)
        return chosen

    def _send(self, item: Item) -> None:
        """What is in doubt stays in quarantine."""
        item.is_quarantined &= item.state is S.UNKNOWN
        item.state, item.attempt = S.SENDING, item.attempt + 1
        item.is_due, item.for_person, item.absences = True, False, 0
        item.resends, item.sent_as, item.is_old = self.refuses_duplicates, self.vendor, False
        item.run = self.runs if self.run_mark is not None and item.arrival <= self.run_mark else None

    def questions(self) -> list[Item]:
        return [one for one in self.in_order(S.CONFIRMING, S.UNKNOWN) if one.is_due and not one.resends]

    def waiting(self) -> list[Item]:
        """Backing off, or looked at later."""
        open_ = [one for one in self.in_order(S.PENDING, S.CONFIRMING, S.UNKNOWN) if not one.for_person]
        return [one for one in open_ if not one.is_due and (one.state is not S.UNKNOWN or one.resends)]

    def quarantined(self) -> list[Item]:
        """What a quarantine, the first or the second, keeps from being looked up."""
        unknown = [one for one in self.in_order(S.UNKNOWN) if not one.for_person]
        return [one for one in unknown if one.is_quarantined or not one.is_due]

    def retry(self, item: Item) -> S | None:
        """None: refused."""
        match item.state:
            case S.REJECTED:
                item.state, item.is_due = S.PENDING, True
            case S.UNKNOWN:
                item.is_due, item.for_person = not item.is_quarantined, False
                item.resends, item.absences = False, 0
            case _:
                return None
        return item.state

    def hand_over(self, item: Item) -> S | None:
        if item.state not in {S.PENDING, S.REJECTED, S.UNKNOWN}:
            return None
        item.state = S.HANDLED_ELSEWHERE
        return item.state
