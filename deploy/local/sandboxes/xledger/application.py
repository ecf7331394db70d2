"""The listener: token, limits, then the exchange.

Burst limit of 20 requests in 5 s by xledger/graphql-samples; how many may run at once is said nowhere, 5 is a
guess; credits are off until a test sets them.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import partial

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from deploy.local.sandboxes.control import Control
from deploy.local.sandboxes.exchange import Exchange, Verdict
from deploy.local.sandboxes.faults import Faults, Visit
from deploy.local.sandboxes.ledger import Effect, Ledger
from deploy.local.sandboxes.limits import (
    Gate,
    Limits,
    OutOfCreditsError,
    TooManyAtOnceError,
    TooManyInWindowError,
)
from deploy.local.sandboxes.serving import Options, Sandbox
from deploy.local.sandboxes.tenants import XledgerTenant
from deploy.local.sandboxes.xledger.books import Voucher
from deploy.local.sandboxes.xledger.execution import Execution
from deploy.local.sandboxes.xledger.imports import Importer, cargo_of
from deploy.local.sandboxes.xledger.reading import Query, Reading, read_contents, read_query
from deploy.local.sandboxes.xledger.refusals import BAD_FORMAT, RefusedError, out_of_credits, refusal
from deploy.local.sandboxes.xledger.rows import Rows
from deploy.local.sandboxes.xledger.schema import xledger_schema

DOCUMENTED = Limits(at_once=5, per_window=20, window_seconds=5)
_LARGEST_BODY = 16 * 1024 * 1024
_TIMER_SLACK = 0.01


class Settings(BaseModel):
    """`import_delay` in seconds, for vouchers added from now on; `process_imports` processes all that wait,
    at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: Limits = Limits()
    import_delay: float = 0.2
    process_imports: bool = False


class Xledger:
    def __init__(self, tenants: tuple[XledgerTenant, ...], exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._schema = xledger_schema()
        self._gate = Gate(limits)
        self.settings = Settings(limits=limits)
        self._importers = {each.token: Importer(each, self._report, self.settings.import_delay) for each in tenants}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/graphql", self._graphql)
        return app

    def change(self, some: Mapping[str, object]) -> None:
        """Raises `pydantic.ValidationError`."""
        given = some.get("limits")
        limits = {**self.settings.limits.model_dump(), **(given if isinstance(given, dict) else {})}
        self.settings = Settings.model_validate({**self.settings.model_dump(), **some, "limits": limits})
        if "limits" in some:
            self._gate.change(self.settings.limits)
        for importer in self._importers.values():
            importer.delay = self.settings.import_delay
            if some.get("process_imports"):
                importer.process_all()

    def look(self) -> None:
        for importer in self._importers.values():
            importer.process_due()

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        query = read_query(self._schema, _json(await request.read()))
        importer, refused = self._sign_in(request.headers.get("Authorization", ""))
        if importer is None:
            return self._exchange.refuse(
                _visit(query, None, read_contents(self._schema, query, None)), refused.answer(), refused.code
            )
        return await self._admit(request, query, importer)

    def _sign_in(self, authorization: str) -> tuple[Importer | None, RefusedError]:
        scheme, _, token = authorization.partition(" ")
        if scheme != "token" or not token.strip():
            return None, RefusedError(BAD_FORMAT, "UNHANDLED_ERROR")
        return self._importers.get(token.strip()), RefusedError("Invalid API Token.", "UNAUTHENTICATED")

    async def _admit(self, request: web.Request, query: Query, importer: Importer) -> web.StreamResponse:
        execution = Execution(self._schema, importer, Rows(importer.tenant, importer.books, self._exchange.faults))
        visit = _visit(query, importer.tenant, read_contents(self._schema, query, importer.tenant))
        apply = partial(self._apply, execution, query, visit)
        try:
            async with self._gate.admit(importer.tenant.token):
                return await self._exchange.run(request, visit, apply)
        except TooManyInWindowError:
            answer = refusal(200, "BAD_REQUEST.BURST_RATE_LIMIT_REACHED", "Burst rate limit reached.")
        except TooManyAtOnceError:
            answer = refusal(200, "BAD_REQUEST.CONCURRENCY_LIMIT_REACHED", "Concurrency limit reached.")
        except OutOfCreditsError as error:
            answer = out_of_credits(error.reset_at)
        return self._exchange.refuse(visit, answer, "over a limit")

    def _apply(self, execution: Execution, query: Query, visit: Visit, number: int) -> Verdict:
        verdict = execution.apply(query, number, visit.credentials)
        if visit.carries_document:
            asyncio.get_running_loop().call_later(self.settings.import_delay + _TIMER_SLACK, self.look)
        unread = [Effect(applied=False, note="not understood")] * len(visit.cargo)
        return Verdict(verdict.answer, verdict.effects or unread)

    def _report(self, tenant: XledgerTenant, voucher: Voucher, effect: Effect) -> None:
        self._exchange.ledger.write(
            number=voucher.request,
            arrival=self._exchange.visits.arrival(voucher.request),
            tenant=tenant.organization,
            credentials=voucher.credentials,
            request="process_import",
            cargo=cargo_of([item.node for item in voucher.items]),
            effect=effect,
        )


def _visit(query: Query, tenant: XledgerTenant | None, reading: Reading) -> Visit:
    return Visit(
        kinds=query.kinds,
        tenant=tenant.organization if tenant else None,
        credentials=f"{tenant.organization}/token" if tenant else "unknown",
        references=tuple(reading.references),
        cargo=tuple(reading.cargo),
    )


def _json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def build(options: Options, ledger: Ledger) -> Sandbox:
    exchange = Exchange(ledger, Faults(options.time_scale), refusal, options.latency)
    erp = Xledger(options.tenants.xledger, exchange, DOCUMENTED if options.limited else Limits())
    control = Control(exchange, read=lambda: erp.settings, write=erp.change, look=erp.look)
    return Sandbox(erp.application(), control.application())
