"""The way of every request through a sandbox: arrive → wait → go wrong, or be applied → be written down → be
answered.

What was applied is decided and written here, in one place for both ERPs. A client that gives up changes
nothing: the request goes on, as it does at the real ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from deploy.local.sandboxes import answers
from deploy.local.sandboxes.answers import Answer
from deploy.local.sandboxes.faults import BEFORE, Action, FaultRule, Faults, Visit
from deploy.local.sandboxes.hold import Hold
from deploy.local.sandboxes.ledger import Effect, Ledger
from deploy.local.sandboxes.visits import Visits


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ERP did, with one effect for each cargo of the visit, in its order."""

    answer: Answer
    effects: Sequence[Effect] = ()


Apply = Callable[[int], Verdict]
"""Takes the request's number."""
Dialect = Callable[[int, str | None, str], Answer]
"""(HTTP status, error code, message) → an error as this ERP words it."""


class Exchange:
    def __init__(self, ledger: Ledger, faults: Faults, dialect: Dialect, latency: float) -> None:
        self.ledger = ledger
        self.faults = faults
        self.hold = Hold()
        self.visits = Visits()
        self._dialect = dialect
        self._latency = latency
        self._passing: set[asyncio.Future[web.StreamResponse]] = set()

    async def run(self, request: web.Request, visit: Visit, apply: Apply) -> web.StreamResponse:
        """Shielded: neither a client that goes away nor its connection stops what has arrived."""
        number = self.visits.arrive(visit)
        passing = asyncio.ensure_future(self._pass(request, visit, apply, number))
        self._passing.add(passing)
        passing.add_done_callback(self._passing.discard)
        return await asyncio.shield(passing)

    def refuse(self, visit: Visit, answer: Answer, note: str) -> web.StreamResponse:
        """For what is refused at the door: credentials and limits."""
        self.visits.refused_at_the_door += 1
        self._note(visit, self.visits.arrive(visit), note)
        return answers.send(answer)

    async def _pass(self, request: web.Request, visit: Visit, apply: Apply, number: int) -> web.StreamResponse:
        await asyncio.sleep(self._latency)
        await self.hold.pass_through(visit)
        rules = self.faults.strike(visit)
        for rule in rules:
            early = await self._before(rule, request, visit, apply, number)
            if early is not None:
                return early
        if any(not rule.apply for rule in rules):
            self._note(visit, number, "not applied by rule")
            return await self._after(rules, request, self._dialect(503, None, "Not applied."))
        return await self._after(rules, request, self._apply(visit, apply, number))

    async def _before(
        self, rule: FaultRule, request: web.Request, visit: Visit, apply: Apply, number: int
    ) -> web.StreamResponse | None:
        match rule.action:
            case action if action not in BEFORE:
                return None
            case Action.DELAY_BEFORE:
                await asyncio.sleep(self.faults.seconds(rule))
                return None
            case Action.LATE_APPLY:
                asyncio.get_running_loop().call_later(self.faults.seconds(rule), self._apply, visit, apply, number)
                return answers.cut(request)
        self._note(visit, number, rule.action)
        return answers.cut(request) if rule.action is Action.CUT_BEFORE else answers.send(self._refusal(rule))

    async def _after(self, rules: Sequence[FaultRule], request: web.Request, answer: Answer) -> web.StreamResponse:
        for rule in rules:
            match rule.action:
                case Action.DELAY_ANSWER:
                    await asyncio.sleep(self.faults.seconds(rule))
                case Action.WRONG_AMOUNT:
                    answer = answers.with_wrong_amounts(answer)
                case Action.HTML:
                    answer = answers.as_html(answer, rule.status)
                case Action.REFUSE_AFTER:
                    answer = self._refusal(rule)
                case Action.CUT_AFTER | Action.TRUNCATE | Action.HUGE | Action.DRIP:
                    return await self._spoil(rule, request, answer)
        return answers.send(answer)

    async def _spoil(self, rule: FaultRule, request: web.Request, answer: Answer) -> web.StreamResponse:
        try:
            return await self._send_spoiled(rule, request, answer)
        except ConnectionError:  # the client had enough of it
            return answers.cut(request)

    async def _send_spoiled(self, rule: FaultRule, request: web.Request, answer: Answer) -> web.StreamResponse:
        match rule.action:
            case Action.TRUNCATE:
                return await answers.send_truncated(request, answer)
            case Action.HUGE:
                return await answers.send_huge(request, answer, rule.size)
            case Action.DRIP:
                return await answers.drip(request, answer, self.faults.seconds(rule))
            case _:
                return answers.cut(request)

    def _refusal(self, rule: FaultRule) -> Answer:
        status = rule.status or _STATUS[rule.action]
        answer = self._dialect(status, rule.code, rule.message or f"Refused by a fault rule ({rule.action}).")
        headers = {**answer.headers, **_extra_headers(rule)}
        return Answer(answer.status, answer.body, answer.content_type, headers)

    def _apply(self, visit: Visit, apply: Apply, number: int) -> Answer:
        verdict = apply(number)
        self._write(visit, number, verdict.effects)
        return verdict.answer

    def _note(self, visit: Visit, number: int, note: str) -> None:
        self._write(visit, number, [Effect(applied=False, note=note)] * len(visit.cargo))

    def _write(self, visit: Visit, number: int, effects: Sequence[Effect]) -> None:
        for cargo, effect in zip(visit.cargo, effects, strict=True):
            self.ledger.write(
                number=number,
                arrival=self.visits.arrival(number),
                tenant=visit.tenant,
                credentials=visit.credentials,
                request="+".join(visit.kinds),
                cargo=cargo,
                effect=effect,
            )


_STATUS = {
    Action.REFUSE_BEFORE: 503,
    Action.REFUSE_AFTER: 500,
    Action.REDIRECT: 302,
    Action.TOO_MANY_REQUESTS: 429,
    Action.UNAUTHORIZED: 401,
}


def _extra_headers(rule: FaultRule) -> dict[str, str]:
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    return {**headers, "Location": rule.location} if rule.action is Action.REDIRECT else headers
