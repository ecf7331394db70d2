"""The words for what the database names: one sentence for each, so that a reader gets them in their language."""

from collections.abc import Mapping

from worker.adapters import Adapters
from worker.domain.receipts import ReceiptState
from worker.domain.sentences import Sentence, say
from worker.domain.states import ItemState, OutcomeName
from worker.domain.switching import Phase, Role
from worker.store.runs import RunKind

STATES: Mapping[ItemState, Sentence] = {
    ItemState.PENDING: say("Waiting"),
    ItemState.SENDING: say("Being sent"),
    ItemState.CONFIRMING: say("Being confirmed"),
    ItemState.SYNCED: say("Synced"),
    ItemState.REJECTED: say("Rejected"),
    ItemState.UNKNOWN: say("Outcome unknown"),
    ItemState.HANDLED_ELSEWHERE: say("Handled elsewhere"),
}
STATE_COLORS: Mapping[ItemState, str] = {
    ItemState.PENDING: "neutral",
    ItemState.SENDING: "info",
    ItemState.CONFIRMING: "info",
    ItemState.SYNCED: "success",
    ItemState.REJECTED: "danger",
    ItemState.UNKNOWN: "warning",
    ItemState.HANDLED_ELSEWHERE: "neutral",
}
"""Beside the word, never instead of it."""

OUTCOMES: Mapping[str, Sentence] = {
    OutcomeName.POSTED: say("Booked"),
    OutcomeName.ACCEPTED: say("Taken into the import"),
    OutcomeName.NOT_SENT: say("Certainly not sent"),
    OutcomeName.REJECTED: say("Rejected"),
    OutcomeName.UNAVAILABLE: say("The accounting system refuses everything"),
    OutcomeName.UNKNOWN: say("No certain answer"),
    OutcomeName.FOUND: say("Found, as approved"),
    OutcomeName.DIFFERENT: say("Found, but different"),
    OutcomeName.STAGED: say("Found in the import"),
    OutcomeName.ABSENT: say("Not found"),
}
ATTEMPT_KINDS: Mapping[str, Sentence] = {
    "settled": say("Sent"),
    "confirmed": say("Import status checked"),
    "late": say("Late answer"),
    "looked_up": say("Looked up"),
}

RECEIPT_STATES: Mapping[ReceiptState, Sentence] = {
    ReceiptState.WAITING: say("Waiting"),
    ReceiptState.SENDING: say("Being sent"),
    ReceiptState.ATTACHED: say("Attached"),
    ReceiptState.GIVEN_UP: say("Given up: try it again, or attach it by hand"),
    ReceiptState.NOT_WANTED: say("Not to be attached"),
}

RUN_KINDS: Mapping[RunKind, Sentence] = {
    RunKind.CONNECTOR_ENABLED: say("The connector was enabled"),
    RunKind.SCHEDULE: say("Scheduled"),
    RunKind.MANUAL: say("Started by a person"),
}
RUN_STATES: Mapping[str, Sentence] = {
    "running": say("Running"),
    "finished": say("Finished"),
    "stopped": say("Stopped"),
}
RUN_STATE_COLORS: Mapping[str, str] = {"running": "info", "finished": "success", "stopped": "warning"}

PHASES: Mapping[str, Sentence] = {
    Phase.ON: say("On"),
    Phase.SWITCHING_OFF: say("Switching off"),
    Phase.OFF: say("Off"),
    Phase.SUSPENDED: say("Suspended"),
}
ROLES: Mapping[str, Sentence] = {
    Role.GLOBAL_ADMIN: say("global administrator"),
    Role.ORGANIZATION_ADMIN: say("organisation administrator"),
    Role.SYSTEM: say("the worker itself"),
}
SOURCES: Mapping[str, Sentence] = {
    "kafka": say("another system (event)"),
    "http": say("screens or API"),
    "cli": say("command line"),
    "worker": say("the worker itself"),
}
CHANGES: Mapping[str, Sentence] = {
    "connector_enabled": say("Connector enabled"),
    "connector_disabled": say("Connector disabled"),
    "connector_quiesced": say("Connector off: nothing is being posted any more"),
    "connector_suspended": say("Connector suspended"),
    "connector_resumed": say("Connector resumed"),
    "connector_configured": say("Connector configured"),
    "credentials_replaced": say("Credentials replaced"),
    "credentials_rekeyed": say("Credentials encrypted with another key"),
    "toggle_refused": say("Switching on or off: refused"),
    "toggle_superseded": say("Switching on or off: superseded by a newer change"),
    "toggle_unchanged": say("Switching on or off: nothing changed"),
    "sync_run_started": say("Sync run started"),
    "sync_run_widened": say("Sync run widened"),
    "sync_run_refused": say("Sync run refused"),
    "sync_run_finished": say("Sync run finished"),
    "sync_run_stopped": say("Sync run stopped"),
    "item_retried": say("Reimbursement queued again"),
    "item_look_up_requested": say("Look-up of a reimbursement asked for"),
    "retry_refused": say("Retry refused"),
    "item_handled_elsewhere": say("Reimbursement handled elsewhere"),
    "handled_elsewhere_refused": say("Handled elsewhere refused"),
    "items_handing_over": say("Marking what waits as handled elsewhere"),
    "items_handled_elsewhere": say("What waited handled elsewhere"),
    "sync_log_exported": say("Sync log exported"),
    "organization_added": say("Organisation added"),
    "receipt_given_up": say("Receipt given up"),
    "receipts_retried": say("Receipts tried again"),
}
"""Every name in `sync_log.change`."""


def known(words: Mapping[str, Sentence], name: str) -> str:
    """The word for it; a name that is newer than this table stays as it is."""
    return words.get(name, name)


def new_state(state: str | None) -> str:
    """Of a log entry: a connector's phase or an item's state."""
    if state is None:
        return "–"
    items = {one.value: word for one, word in STATES.items()}
    return known({**items, **PHASES}, state)


def erp_titles(adapters: Adapters) -> Mapping[str, str]:
    """Kind → the accounting system's name."""
    return {kind: factory.title for kind, factory in adapters.factories.items()}
