"""What people and machines see: one object for each thing, with the same field names in the command line, the API and
the screens."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from worker.domain.attention import Trouble
from worker.domain.receipts import ReceiptState
from worker.domain.sentences import Sentence
from worker.domain.states import ItemState
from worker.domain.switching import Phase
from worker.store.runs import RunKind


def _as_it_was_said(text: object, as_text: ValidatorFunctionWrapHandler) -> object:
    return text if isinstance(text, Sentence) else as_text(text)


Said = Annotated[str, WrapValidator(_as_it_was_said)]
"""A text, which stays a `Sentence` where it is one: pydantic would keep its English text alone."""


class View(BaseModel):
    """What goes out as JSON, with these field names everywhere."""

    model_config = ConfigDict(frozen=True)


class DocumentView(View):
    number: str | None
    id: str | None
    url: str | None


class Waiting(View):
    """Why an item is not where it should end, since when that is so, and what happens next."""

    reason: Said
    since: datetime
    next: Said


class ItemView(View):
    """`total` is a decimal string. `waiting_for` says in a few words what has to happen next, `waiting` at length;
    None: nothing. `due_at` is when it is dealt with next, where that is planned."""

    reimbursement_id: str
    state: ItemState
    attempt: int
    total: str
    currency: str
    document: DocumentView | None
    reason: str | None
    reason_code: str | None
    waiting_for: Said | None
    waiting: Waiting | None
    due_at: datetime | None
    connector: str | None
    reference: str | None
    approved_at: datetime
    received_at: datetime
    changed_at: datetime


class AttemptView(View):
    attempt: int
    kind: str
    connector: str
    reference: str
    outcome: str
    claimed_at: datetime
    recorded_at: datetime
    document: DocumentView | None
    code: str | None
    detail: str | None


class ReceiptView(View):
    """A receipt of a posted item on its way to the ERP. `due_at` is when it is tried next, where it waits."""

    receipt: int
    state: ReceiptState
    tries: int
    due_at: datetime | None
    changed_at: datetime
    reason: str | None


class LookUpView(View):
    """What is done to learn what became of an item. `quarantined_until`: until then an earlier request may be alive.
    `found_nothing`: look-ups in a row that found nothing."""

    what: Said
    at: datetime | None
    quarantined_until: datetime | None
    found_nothing: int
    is_for_a_person: bool


class ItemDetail(ItemView):
    """`look_up` is there while nobody knows what became of it."""

    look_up: LookUpView | None
    attempts: list[AttemptView]
    receipts: list[ReceiptView]

    @property
    def has_given_up_receipts(self) -> bool:
        return any(one.state is ReceiptState.GIVEN_UP for one in self.receipts)


class ItemsFound(View):
    """Newest first. Beside the item of exactly this id, `looked_at` of the newest at most were searched."""

    items: list[ItemView]
    looked_at: int


class StateCount(View):
    """`is_more`: there are more than `count`; nobody counts further."""

    state: ItemState
    count: int
    is_more: bool


Previous = Annotated[str | None, Field(exclude=True)]
"""For the screens alone, which also turn back: programs read on from `next` to `next`."""


class ItemPage(View):
    items: list[ItemView]
    next: str | None
    previous: Previous


class WaitingView(View):
    """What is pending in one currency."""

    currency: str
    count: int
    total: str
    oldest: datetime


class ConnectorObject(View):
    """A connector as people see it; credentials never show.

    `outcome_unknown`: attempts that ended without an answer and are not resolved yet. `next_probe_at`: when a suspended
    connector is tried again. `waiting_as_of`: when `waiting` was counted, where so much waits that it was not now."""

    organization_id: str
    connector: str
    title: str
    enabled: bool
    phase: Phase
    in_flight: int
    outcome_unknown: int
    changed_by: str | None
    changed_at: datetime | None
    reason: str | None
    suspended_since: datetime | None
    suspended_reason: str | None
    next_probe_at: datetime | None
    quiesced_at: datetime | None
    release_policy: str
    schedule: str | None
    time_zone: str
    next_run_at: datetime | None
    waiting: list[WaitingView]
    waiting_as_of: datetime | None
    settings: dict[str, object]
    mapping: dict[str, object]


class CredentialsView(View):
    """The names of the credential fields that the ERP needs, and who gave them last, and when; never a value."""

    fields: list[str]
    replaced_at: datetime | None
    replaced_by: str | None


class OrganizationView(View):
    organization_id: str
    name: str
    connector: str | None
    enabled: bool
    phase: Phase | None
    waiting: list[WaitingView]


class OrganizationNotSetUp(View):
    """As `OrganizationView`: an organisation that nobody has added, of which approvals wait."""

    organization_id: str
    name: None = None
    connector: None = None
    enabled: Literal[False] = False
    phase: None = None
    waiting: list[WaitingView]


class OverviewRow(View):
    """One organisation for global administrators. What is switched is as it is now; what is counted is as of the page's
    `as_of`. `problem` says the gravest thing that is wrong."""

    organization_id: str
    name: str
    connector: str | None
    title: str | None
    enabled: bool
    phase: Phase | None
    changed_at: datetime | None
    changed_by: str | None
    reason: str | None
    waiting: list[WaitingView]
    waiting_count: int
    oldest: datetime | None
    rejected: int
    for_a_person: int
    overdue: int
    last_synced_at: datetime | None
    trouble: Trouble | None
    problem: Said | None


class OverviewRows(View):
    """`as_of` None: nothing was counted yet."""

    organizations: list[OverviewRow]
    as_of: datetime | None


class OverviewPage(OverviewRows):
    """`first` is the number of the first row. `total` and `problems` are of all pages together."""

    first: int
    next: str | None
    previous: str | None
    total: int
    problems: int


class OrganizationPage(View):
    organizations: list[OrganizationView]
    next: str | None


class RunCountsView(View):
    synced: int
    rejected: int
    unknown: int
    remaining: int


class RunView(View):
    run_id: UUID
    organization_id: str
    kind: RunKind
    connector: str
    state: Literal["running", "finished", "stopped"]
    requested_by: str
    started_at: datetime
    finished_at: datetime | None
    counts: RunCountsView


class RunPage(View):
    runs: list[RunView]
    next: str | None
    previous: Previous


class LogEntryView(View):
    entry: int
    at: datetime
    actor: str
    actor_role: str
    source: str
    organization_id: str
    connector: str | None
    change: str
    new_state: str | None
    reason: str | None
    detail: dict[str, object]


class LogPage(View):
    entries: list[LogEntryView]
    next: str | None
    previous: Previous


class LogVerification(View):
    """Whether the log is whole, as far as entry `verified_through` of `entries`. `checking`: it is so long that the
    rest is verified when it is asked for again."""

    state: Literal["whole", "checking", "broken"]
    verified_through: int
    entries: int
    problem: Said | None


class RejectionView(View):
    reimbursement_id: str
    code: str
    message: str


class ProblemView(View):
    """What was checked at the ERP, and what is wrong with it."""

    subject: str
    message: str


class ReleasePreview(View):
    """What enabling now would send, or under `next_sync` the first run after it. `checked` is how many of them were
    tried against the mapping; `problems` is what the check at the ERP finds (None: it was not asked)."""

    organization_id: str
    connector: str
    release_policy: str
    count: int
    sums: list[WaitingView]
    oldest: datetime | None
    checked: int
    would_be_rejected: list[RejectionView]
    problems: list[ProblemView] | None = None


class HandedOverPreview(View):
    """What a release would mark as handled elsewhere; none of it has a sequence number above `through`."""

    count: int
    sums: list[WaitingView]
    through: int


class DeadLetterView(View):
    dead_letter_id: int
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    organization_id: str | None
    received_at: datetime
    size: int | None


class DeadLetterPage(View):
    dead_letters: list[DeadLetterView]
    next: str | None


class DeadLetterDetail(DeadLetterView):
    """The original record; what is not UTF-8 is given in base64 with the prefix `base64:`."""

    key: str | None
    value: str | None
    headers: list[tuple[str, str]]
