"""Why an item waits: in a few words, and at length with since when and what happens next."""

from collections.abc import Sequence
from datetime import datetime

from worker.domain.look_up import IMPORT_OVERDUE
from worker.domain.sentences import Sentence, say
from worker.domain.states import ItemState
from worker.domain.switching import Phase
from worker.store.connectors import ConnectorView
from worker.store.reading import ItemRow
from worker.views import LookUpView, Waiting


def waiting_for(row: ItemRow, views: Sequence[ConnectorView]) -> Sentence | None:
    """What has to happen next, in a few words. `views` has the connector first that is or was last in use."""
    match row.state:
        case ItemState.PENDING:
            return _pending_for(row.seq, views)
        case ItemState.SENDING:
            return say("the ERP's answer")
        case ItemState.CONFIRMING:
            return _confirming_for(row)
        case ItemState.REJECTED:
            return say("a person: mend the cause and retry, or mark it as handled elsewhere")
        case ItemState.UNKNOWN:
            return _unknown_for(row, views)
        case ItemState.SYNCED | ItemState.HANDLED_ELSEWHERE:
            return None


def waiting(row: ItemRow, views: Sequence[ConnectorView]) -> Waiting | None:
    """As `waiting_for`, at length."""
    match row.state:
        case ItemState.PENDING:
            return _pending(row, views)
        case ItemState.SENDING:
            return _waits(
                row,
                say("It is being sent to {title}.", title=_title(row, views)),
                say("The answer decides what becomes of it."),
            )
        case ItemState.CONFIRMING:
            return _confirming(row, views)
        case ItemState.REJECTED:
            return _waits(
                row,
                say("It was refused by {title}: {reason}", title=_title(row, views), reason=row.reason),
                say("A person mends the cause and retries it, or marks it as handled elsewhere."),
            )
        case ItemState.UNKNOWN:
            reason = say(
                "Nobody knows yet whether {title} has it: {reason}", title=_title(row, views), reason=row.reason
            )
            return _waits(row, reason, _next_of_unknown(row, views))
        case ItemState.SYNCED | ItemState.HANDLED_ELSEWHERE:
            return None


def look_up(row: ItemRow, views: Sequence[ConnectorView]) -> LookUpView | None:
    """What is done to learn what became of it; None where that is known, or still to come."""
    if row.state not in {ItemState.CONFIRMING, ItemState.UNKNOWN}:
        return None
    return LookUpView(
        what=_looked_up(row, _title(row, views)),
        at=row.due_at,
        quarantined_until=row.quarantined_until,
        found_nothing=row.absences,
        is_for_a_person=row.is_for_a_person,
    )


def _looked_up(row: ItemRow, title: str) -> Sentence:
    facts = {"reference": row.reference, "title": title}
    if row.is_for_a_person:
        return say("Nothing is looked up any more: a person compares {reference} with {title}.", **facts)
    if row.state is ItemState.CONFIRMING:
        return say("The import of {title} is asked what became of {reference}.", **facts)
    if row.resend_resolves:
        return say("It is sent again as {reference}: {title} takes nothing twice, and its answer tells.", **facts)
    return say("The documents of {title} are searched for {reference}.", **facts)


def _pending_for(seq: int, views: Sequence[ConnectorView]) -> Sentence:
    if not views:
        return say("a connector to be configured")
    view = views[0]
    match view.phase:
        case Phase.OFF | Phase.SWITCHING_OFF:
            return say("the {title} connector to be enabled", title=view.title)
        case Phase.SUSPENDED:
            return say(
                "the {title} connector, which is suspended: {reason}", title=view.title, reason=view.suspended_reason
            )
        case Phase.ON if not view.marks.releases(seq):
            return say("the next scheduled or manual run")
        case Phase.ON:
            return say("its turn")


def _confirming_for(row: ItemRow) -> Sentence:
    if row.reason_code == IMPORT_OVERDUE:
        return say("the ERP's import to finish, for too long: a person has to look for it there")
    return say("the ERP's import to finish")


def _unknown_for(row: ItemRow, views: Sequence[ConnectorView]) -> Sentence:
    if row.is_for_a_person:
        return say("a person: compare with the ERP, then retry or mark it as handled elsewhere")
    own = _own(row, views)
    if own is None or own.phase is Phase.ON:
        return say("a look-up at the ERP")
    if own.enabled:
        return say("the {title} connector to be resumed, then a look-up", title=own.title)
    return say("the {title} connector to be enabled, then a look-up", title=own.title)


def _pending(row: ItemRow, views: Sequence[ConnectorView]) -> Waiting:
    if not views:
        reason = say("No connector is configured for its organisation.")
        return _waits(row, reason, say("It is sent once a connector is configured and enabled."))
    view = views[0]
    match view.phase:
        case Phase.OFF | Phase.SWITCHING_OFF:
            reason = say("The {title} connector is off.", title=view.title)
            return _waits(row, reason, say("It is sent once the connector is enabled."), view.changed_at)
        case Phase.SUSPENDED:
            reason = say("The {title} connector is suspended: {reason}", title=view.title, reason=view.suspended_reason)
            return _waits(row, reason, _next_of_suspended(view), view.suspended_at)
        case Phase.ON if not view.marks.releases(row.seq):
            reason = say("It came while the {title} connector was off, and waits for a run.", title=view.title)
            return _waits(row, reason, _next_run(view), view.changed_at)
        case Phase.ON if row.due_at and row.reason:
            reason = say("It could not be sent the last time: {reason}", reason=row.reason)
            return _waits(row, reason, say("It is tried again from {at} on.", at=row.due_at))
        case Phase.ON:
            reason = say("It is in the queue of the {title} connector.", title=view.title)
            return _waits(row, reason, say("It is sent when its turn comes, oldest first."), view.changed_at)


def _confirming(row: ItemRow, views: Sequence[ConnectorView]) -> Waiting:
    title = _title(row, views)
    if row.reason_code == IMPORT_OVERDUE:
        reason = say("It has been in the import of {title} for too long.", title=title)
        return _waits(row, reason, say("A person has to look for it there."))
    reason = say("It is in the import of {title}, which has not decided yet.", title=title)
    return _waits(row, reason, say("Its status is fetched from {title} regularly.", title=title))


def _next_of_unknown(row: ItemRow, views: Sequence[ConnectorView]) -> Sentence:
    title = _title(row, views)
    if row.is_for_a_person:
        return say("A person compares with {title}, then retries it or marks it as handled elsewhere.", title=title)
    own = _own(row, views)
    if own is not None and own.phase is not Phase.ON:
        return say("It is looked up once the {title} connector is on again.", title=title)
    if row.due_at is None:
        return say("It is looked up at {title} next.", title=title)
    if row.resend_resolves:
        return say("It is sent again from {at} on: {title} takes nothing twice.", at=row.due_at, title=title)
    return say("It is looked up at {title} from {at} on.", at=row.due_at, title=title)


def _next_of_suspended(view: ConnectorView) -> Sentence:
    if view.probe_at is None:
        return say("It is sent once the connector is resumed.")
    return say("The connector is tried again from {at} on; it is sent once that succeeds.", at=view.probe_at)


def _next_run(view: ConnectorView) -> Sentence:
    if view.next_run_at is None:
        return say("A person has to start a sync run.")
    return say("It is sent with the scheduled run at {at}, or when a person starts one.", at=view.next_run_at)


def _waits(row: ItemRow, reason: Sentence, following: Sentence, cause_since: datetime | None = None) -> Waiting:
    """It waits since it came into its state, or since what it waits for began, whichever was later."""
    return Waiting(reason=reason, since=max(row.changed_at, cause_since or row.changed_at), next=following)


def _own(row: ItemRow, views: Sequence[ConnectorView]) -> ConnectorView | None:
    """The connector it was sent through."""
    return next((view for view in views if view.kind == row.connector), None)


def _title(row: ItemRow, views: Sequence[ConnectorView]) -> str:
    own = _own(row, views)
    return own.title if own else say("the ERP")
