"""The 22 ways in which an ERP, or the road to it, goes wrong: what each is, and which requests it strikes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from deploy.local.sandboxes.client import Erp
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.chaos.ground import LONGEST_REQUEST_LIFE, TIME_SCALE

READ_TIMEOUT_SECONDS = 0.8
TOO_LONG = 1.25 * READ_TIMEOUT_SECONDS / TIME_SCALE
"""Seconds of a delay, as the sandboxes count them, that outlasts the time-out."""
BETWEEN_DRIPS = 0.05 / TIME_SCALE
TEN_MEGABYTES = 10 * 1024 * 1024
LONGEST_LAG = 600.0
"""Look-ups see a document so late. With the latest apply it stays well below two quarantines, on a busy machine too."""
AT_ONCE = 2
"""So many requests of a kind are struck before the ERP works again."""

ADD, LOOK = "addGLImportItems", "apTransactions"
CREATE, POST, READ, FIND, DELETE, TOKEN = (
    "create_invoice",
    "post_invoice",
    "get_invoice",
    "find_invoices",
    "delete_invoice",
    "token",
)
REQUESTS: Mapping[Erp, Sequence[str]] = {
    "xledger": (ADD, LOOK),
    "business_central": (CREATE, POST, READ, FIND, DELETE, TOKEN),
}
WRITES: Mapping[Erp, Sequence[str]] = {"xledger": (ADD,), "business_central": (CREATE, POST, DELETE)}
THE_DOCUMENT: Mapping[Erp, str] = {"xledger": ADD, "business_central": POST}
"""The request by which the accounting document comes to exist."""


class Kind(StrEnum):
    REFUSED = "connection_refused"
    NO_NAME = "dns"
    BAD_TLS = "bad_tls"
    CONNECT_TIMEOUT = "connect_timeout"
    TIMEOUT_BEFORE = "read_timeout_before_apply"
    TIMEOUT_AFTER = "read_timeout_after_apply"
    LATE_APPLY = "late_apply"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SERVER_ERROR = "http_5xx"
    TOO_MANY = "too_many_requests"
    TOO_MANY_UNTIL = "too_many_requests_retry_after"
    UNAUTHORIZED = "unauthorized"
    GRAPHQL_ERRORS = "graphql_errors"
    TRUNCATED = "truncated"
    HTML = "html"
    HUGE = "ten_megabytes"
    DRIP = "slow_drip"
    REDIRECT = "redirect"
    DUPLICATE = "duplicate_refused"
    WRONG_AMOUNT = "wrong_amount"
    UNSEEN = "seen_only_later"


BY_ADDRESS = frozenset({Kind.REFUSED, Kind.NO_NAME, Kind.BAD_TLS, Kind.CONNECT_TIMEOUT})
"""No sandbox can do these: the connector is configured with an address that does."""
_ONLY_AT: Mapping[Kind, Erp] = {Kind.GRAPHQL_ERRORS: "xledger", Kind.DUPLICATE: "business_central"}
_CODES = ("INTERNAL_SERVER_ERROR", "UNHANDLED_ERROR")
_SERVER_ERRORS = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind at an ERP, and the request that it strikes there (for the kinds that choose one)."""

    kind: Kind
    erp: Erp
    request: str

    @property
    def is_for_a_person(self) -> bool:
        """Whether items may have to wait for one. What a draft's echo says is read again before it is posted."""
        return self.kind is Kind.DUPLICATE or (self.kind is Kind.WRONG_AMOUNT and self.request != CREATE)


def faults(erp: Erp, random: Random) -> list[Fault]:
    """Every kind there is at this ERP, once, each on a request chosen anew."""
    return [Fault(kind, erp, random.choice(_struck(kind, erp))) for kind in Kind if _ONLY_AT.get(kind, erp) == erp]


def rules(fault: Fault, tenant: str, random: Random) -> list[FaultRule]:
    """The first is the fault itself, the others lead to it. Tokens belong to no tenant that a rule could name."""
    where = {"kind": fault.request, "tenant": None if fault.request == TOKEN else tenant, "times": AT_ONCE}
    own = FaultRule.model_validate({**where, **_deed(fault.kind, random)})
    return [own, *_leading_to(fault, tenant, random)]


def _struck(kind: Kind, erp: Erp) -> Sequence[str]:
    match kind:
        case Kind.LATE_APPLY:
            return WRITES[erp]
        case Kind.UNSEEN:
            return (THE_DOCUMENT[erp],)
        case Kind.WRONG_AMOUNT:
            return (LOOK,) if erp == "xledger" else (CREATE, READ)
        case _:
            return REQUESTS[erp]


def _deed(kind: Kind, random: Random) -> dict[str, object]:
    """Where a fault may come before or after the ERP applied the request, it is drawn."""
    late = random.uniform(1, LONGEST_REQUEST_LIFE)
    applied = random.random() < 0.5
    deeds: dict[Kind, dict[str, object]] = {
        Kind.TIMEOUT_BEFORE: {"action": Action.DELAY_BEFORE, "seconds": TOO_LONG},
        Kind.TIMEOUT_AFTER: {"action": Action.DELAY_ANSWER, "seconds": TOO_LONG},
        Kind.LATE_APPLY: {"action": Action.LATE_APPLY, "seconds": late},
        Kind.RESET_BEFORE: {"action": Action.CUT_BEFORE},
        Kind.RESET_AFTER: {"action": Action.CUT_AFTER},
        Kind.SERVER_ERROR: {"action": _refused(after=applied), "status": random.choice(_SERVER_ERRORS)},
        Kind.TOO_MANY: {"action": Action.TOO_MANY_REQUESTS},
        Kind.TOO_MANY_UNTIL: {"action": Action.TOO_MANY_REQUESTS, "retry_after": 1},
        Kind.UNAUTHORIZED: {"action": Action.UNAUTHORIZED, "times": random.randint(1, 2 * AT_ONCE)},
        Kind.GRAPHQL_ERRORS: {"action": _refused(after=applied), "status": 200, "code": random.choice(_CODES)},
        Kind.TRUNCATED: {"action": Action.TRUNCATE, "apply": applied},
        Kind.HTML: {"action": Action.HTML, "apply": applied, "status": random.choice([200, 502])},
        Kind.HUGE: {"action": Action.HUGE, "apply": applied, "size": TEN_MEGABYTES},
        Kind.DRIP: {"action": Action.DRIP, "apply": applied, "seconds": BETWEEN_DRIPS},
        Kind.REDIRECT: {"action": Action.REDIRECT},
        Kind.WRONG_AMOUNT: {"action": Action.WRONG_AMOUNT, "times": None},
        Kind.UNSEEN: {"action": Action.LATE_APPLY, "seconds": late},
    }
    return deeds[kind]


def _refused(*, after: bool) -> Action:
    return Action.REFUSE_AFTER if after else Action.REFUSE_BEFORE


def _leading_to(fault: Fault, tenant: str, random: Random) -> list[FaultRule]:
    """What makes a request come that does not come by itself, or goes with the fault."""
    if fault.kind is Kind.UNSEEN:
        return [FaultRule(action=Action.LAG, seconds=random.uniform(0.3, 1.0) * LONGEST_LAG)]
    if fault.kind is Kind.WRONG_AMOUNT and fault.request == READ:
        return [FaultRule(action=Action.WRONG_AMOUNT, kind=FIND, tenant=tenant)]
    earlier = {FIND: CREATE, DELETE: POST}.get(fault.request)
    return [FaultRule(action=Action.CUT_BEFORE, kind=earlier, tenant=tenant, times=AT_ONCE)] if earlier else []
