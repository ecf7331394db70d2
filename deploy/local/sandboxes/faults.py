"""Fault rules: which requests go wrong, and how."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, TypeAdapter

from deploy.local.sandboxes.ledger import Cargo


class Action(StrEnum):
    """`…_before`: the ERP never applied it. `…_after` and every spoiled body: it did, unless the rule says
    `"apply": false`."""

    REFUSE_BEFORE = "refuse_before"
    REFUSE_AFTER = "refuse_after"
    DELAY_BEFORE = "delay_before"
    DELAY_ANSWER = "delay_answer"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    LATE_APPLY = "late_apply"
    TRUNCATE = "truncate"
    HTML = "html"
    HUGE = "huge"
    DRIP = "drip"
    REDIRECT = "redirect"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNAUTHORIZED = "unauthorized"
    WRONG_AMOUNT = "wrong_amount"
    BLIND = "blind"
    LAG = "lag"


BEFORE = frozenset(
    {
        Action.REFUSE_BEFORE,
        Action.DELAY_BEFORE,
        Action.CUT_BEFORE,
        Action.LATE_APPLY,
        Action.REDIRECT,
        Action.TOO_MANY_REQUESTS,
        Action.UNAUTHORIZED,
    }
)
_VEILS = frozenset({Action.BLIND, Action.LAG})


class FaultRule(BaseModel):
    """Every part that is left out matches everything. All matching rules act, in their order, until one of
    them answers.

    `nth` (from 1) strikes only that one of the matching requests, `times` only the first so many. `seconds`
    is multiplied by the sandbox's time scale: how long to delay, when to apply late, the pause between two
    dripped bytes, how long look-ups are blind (`blind`: from now on; `lag`: each document from when it was
    applied). `retry_after` is sent with 429 and with refusals.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    kind: str | None = None
    reference: str | None = None
    tenant: str | None = None
    nth: int | None = None
    times: int | None = None
    status: int | None = None
    seconds: float = 0.05
    retry_after: int | None = None
    code: str | None = None
    message: str | None = None
    location: str = "http://127.0.0.1:9/elsewhere"
    size: int = 64 * 1024 * 1024
    apply: bool = True


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as the rules, the hold and the ledger see it. `kinds` are its operations, `references`
    whatever it names."""

    kinds: tuple[str, ...]
    tenant: str | None
    credentials: str
    references: tuple[str, ...] = ()
    cargo: tuple[Cargo, ...] = ()

    @property
    def carries_document(self) -> bool:
        return bool(self.cargo)


@dataclass(slots=True)
class _Armed:
    rule: FaultRule
    since: float
    matched: int = 0
    struck: int = field(default=0)


class Faults:
    """`time_scale` 0.01 makes a fault of 15 minutes last 9 seconds."""

    def __init__(self, time_scale: float = 1.0) -> None:
        self._armed: list[_Armed] = []
        self._time_scale = time_scale

    def arm(self, rules: Iterable[FaultRule]) -> None:
        """Replaces all rules; counting starts anew."""
        now = time.time()
        self._armed = [_Armed(rule, now) for rule in rules]

    def clear(self) -> None:
        self._armed = []

    def seconds(self, rule: FaultRule) -> float:
        return rule.seconds * self._time_scale

    def struck(self) -> list[dict[str, object]]:
        return [{"rule": each.rule.model_dump(mode="json"), "struck": each.struck} for each in self._armed]

    def strike(self, visit: Visit) -> Sequence[FaultRule]:
        """The rules that strike this request now. Counts it for every rule that matches."""
        striking = (each for each in self._armed if each.rule.action not in _VEILS and _matches(each.rule, visit))
        return [each.rule for each in striking if _counts(each)]

    def hides(self, reference: str, applied_at: datetime) -> bool:
        """Whether look-ups don't see this document now."""
        return any(self._veils(each, reference, applied_at) for each in self._armed)

    def _veils(self, armed: _Armed, reference: str, applied_at: datetime) -> bool:
        rule = armed.rule
        if rule.action not in _VEILS or rule.reference not in {None, reference}:
            return False
        start = armed.since if rule.action is Action.BLIND else applied_at.timestamp()
        return time.time() < start + self.seconds(rule)


def _matches(rule: FaultRule, visit: Visit) -> bool:
    return (
        (rule.kind is None or rule.kind in visit.kinds)
        and (rule.reference is None or rule.reference in visit.references)
        and rule.tenant in {None, visit.tenant}
    )


def _counts(armed: _Armed) -> bool:
    armed.matched += 1
    rule = armed.rule
    strikes = rule.nth in {None, armed.matched} and (rule.times is None or armed.struck < rule.times)
    armed.struck += strikes
    return strikes


RULES = TypeAdapter(list[FaultRule])
