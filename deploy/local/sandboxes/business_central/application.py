"""The listener: token endpoint, bearer check, limits, then the exchange.

Limits of Business Central for one user, by the operational limits page of its documentation: 6,000 requests
in 5 minutes, 5 at once and 95 queued; above either 429, without `Retry-After`.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from yarl import URL

from deploy.local.sandboxes.business_central.batches import Batch, apply_batch, read_batch
from deploy.local.sandboxes.business_central.bodies import read_json
from deploy.local.sandboxes.business_central.cargo import cargo_of, references_of
from deploy.local.sandboxes.business_central.company import Company, Duplicates
from deploy.local.sandboxes.business_central.oauth import Grant, TokenOffice
from deploy.local.sandboxes.business_central.odata import read_query
from deploy.local.sandboxes.business_central.operations import LARGEST_PAGE, Call, Desk
from deploy.local.sandboxes.business_central.refusals import CREDENTIALS, Refusal, RefusedError, refusal
from deploy.local.sandboxes.business_central.routes import BATCH, Operation, Place, place_of
from deploy.local.sandboxes.control import Control
from deploy.local.sandboxes.exchange import Exchange, Verdict
from deploy.local.sandboxes.faults import Faults, Visit
from deploy.local.sandboxes.ledger import Ledger
from deploy.local.sandboxes.limits import Gate, Limits, TooManyAtOnceError, TooManyInWindowError
from deploy.local.sandboxes.serving import Options, Sandbox
from deploy.local.sandboxes.tenants import BusinessCentralTenant

DOCUMENTED = Limits(at_once=5, queued=95, per_window=6000, window_seconds=300)
_LARGEST_BODY = 16 * 1024 * 1024


class Settings(BaseModel):
    """`token_seconds` is how long a new token lasts; `withdraw_tokens` ends all that were given out. `open_from` and
    `open_to` stand for the tenants' own days, `page_size` is how many rows an answer holds at the most.
    `leaves_out_dimensions`: those inside the lines of a new invoice are not taken. `refusals` is operation → how each
    call of it is refused, in a `$batch` too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: Limits = Limits()
    token_seconds: float = 3599
    duplicates: Duplicates = "refused_once_posted"
    withdraw_tokens: bool = False
    open_from: date | None = None
    open_to: date | None = None
    page_size: int = LARGEST_PAGE
    leaves_out_dimensions: bool = False
    refusals: Mapping[Operation, Refusal] = {}


class BusinessCentral:
    def __init__(self, tenants: tuple[BusinessCentralTenant, ...], exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._office = TokenOffice(tenants)
        self._gate = Gate(limits)
        self._tenants = {str(each.company_id): each for each in tenants}
        self._desks = {str(each.company_id): Desk(Company(each), exchange.faults.hides) for each in tenants}
        self.settings = Settings(limits=limits)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/{tenant_id}/oauth2/v2.0/token", self._token)
        app.router.add_route("*", "/v2.0/{rest:.*}", self._company)
        return app

    def change(self, some: Mapping[str, object]) -> None:
        """Raises `pydantic.ValidationError`."""
        limits = {**self.settings.limits.model_dump(), **_mapping(some.get("limits"))}
        self.settings = Settings.model_validate({**self.settings.model_dump(), **some, "limits": limits})
        if "limits" in some:
            self._gate.change(self.settings.limits)
        if some.get("withdraw_tokens"):
            self._office.withdraw_all()
        days = {"open_from": self.settings.open_from, "open_to": self.settings.open_to}
        for company_id, desk in self._desks.items():
            desk.company.duplicates = self.settings.duplicates
            desk.company.leaves_out_dimensions = self.settings.leaves_out_dimensions
            desk.refusals = self.settings.refusals
            desk.page_size = self.settings.page_size
            given = {name: day for name, day in days.items() if day is not None}
            desk.company.tenant = self._tenants[company_id].model_copy(update=given)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        tenant_id = request.match_info["tenant_id"]
        visit = Visit(("token",), None, form.get("client_id", "none"))
        give = partial(self._office.give, tenant_id, form, self.settings.token_seconds)
        return await self._exchange.run(request, visit, lambda _: Verdict(give()))

    async def _company(self, request: web.Request) -> web.StreamResponse:
        grant = self._office.holder(request.headers.get("Authorization", ""))
        user = grant.client_id if grant else "none"
        try:
            read = await _read(request)
        except RefusedError as error:
            return self._exchange.refuse(Visit(("unknown",), None, user), error.answer(), error.code)
        return await self._admit(request, read, grant, user)

    async def _admit(
        self, request: web.Request, read: Call | Batch, grant: Grant | None, user: str
    ) -> web.StreamResponse:
        calls = [read] if isinstance(read, Call) else read.calls
        visit = self._visit(read, user)
        try:
            async with self._gate.admit(user):
                for call in calls:
                    _check_credentials(grant, call.place, self._desk_of(call))
                return await self._exchange.run(request, visit, partial(self._apply, read))
        except (TooManyAtOnceError, TooManyInWindowError):
            self._exchange.visits.of_kind("over_limit").add(1)
            too_many = refusal(429, None, "Too many requests reached the service.")
            return self._exchange.refuse(visit, too_many, "too many requests")
        except RefusedError as error:
            return self._exchange.refuse(visit, error.answer(), error.code)

    def _apply(self, read: Call | Batch, number: int) -> Verdict:
        if isinstance(read, Batch):
            return apply_batch(read, lambda call: _served(self._desk_of(call)))
        return _served(self._desk_of(read)).apply(read, number)

    def _desk_of(self, call: Call) -> Desk | None:
        return self._desks.get(call.place.company_id.lower())

    def _visit(self, read: Call | Batch, user: str) -> Visit:
        calls = [read] if isinstance(read, Call) else read.calls
        desks = [self._desk_of(call) for call in calls]
        companies = [desk.company if desk else None for desk in desks]
        organizations = [company.tenant.organization for company in companies if company]
        seen = list(zip(calls, companies, strict=True))
        return Visit(
            kinds=(*(() if isinstance(read, Call) else ("batch",)), *dict.fromkeys(call.place.kind for call in calls)),
            tenant=organizations[0] if organizations else None,
            credentials=user,
            references=tuple(each for call, company in seen for each in references_of(call, company)),
            cargo=tuple(each for call, company in seen for each in cargo_of(call, company)),
        )


async def _read(request: web.Request) -> Call | Batch:
    """The raw path, so that an encoded slash or bracket doesn't change what it names."""
    path = URL(request.path_qs, encoded=True).raw_path
    raw = await request.read()
    content = read_json(raw)
    batch = BATCH.fullmatch(path)
    if batch is not None and request.method == "POST":
        return read_batch(batch["root"], content, request.headers.get("Isolation", ""))
    place = place_of(request.method, path)
    return Call(place, read_query(request.query), content, request.headers.get("If-Match"), request.url, raw)


def _check_credentials(grant: Grant | None, place: Place, desk: Desk | None) -> None:
    """A token opens the companies of its own Entra tenant that its application is registered in, and no other."""
    if grant is None or place.tenant_id.lower() not in {"", grant.tenant_id}:
        raise _rejected()
    tenant = _served(desk).company.tenant
    if str(tenant.tenant_id) != grant.tenant_id or tenant.environment != place.environment:
        raise _no_company()
    if tenant.client_id != grant.client_id:
        raise _rejected()


def _rejected() -> RefusedError:
    return RefusedError("The server has rejected the client credentials.", code=CREDENTIALS, status=401)


def _no_company() -> RefusedError:
    return RefusedError("The company cannot be found.", code="Internal_CompanyNotFound", status=404)


def _served(desk: Desk | None) -> Desk:
    if desk is None:
        raise _no_company()
    return desk


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def build(options: Options, ledger: Ledger) -> Sandbox:
    exchange = Exchange(ledger, Faults(options.time_scale), refusal, options.latency)
    limits = DOCUMENTED if options.limited else Limits()
    erp = BusinessCentral(options.tenants.business_central, exchange, limits)
    control = Control(exchange, read=lambda: erp.settings, write=erp.change, look=lambda: None)
    return Sandbox(erp.application(), control.application())
