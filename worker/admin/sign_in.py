"""Sign-in and sign-out for the screens.

Pages are rendered by name. `could_not_sign_in` is told `why` (a WhyNot), `sentence` (what to do, in English) and
`again` (a path that starts anew, None where that can't help). `signed_out` is told `continue_at`: the address at the
provider that ends its session too, where the browser goes by itself; None where it does not offer that.
"""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from worker.admin.access import Context
from worker.admin.claims import actor_of, display_name
from worker.admin.code_flow import SECONDS_TO_COME_BACK, Arrival, SignInError, WhyNot
from worker.admin.context import AdminContext, SignIn
from worker.admin.cookies import SESSION, SIGN_IN, give, take_back
from worker.admin.local_paths import local_path
from worker.admin.screens.signing import render
from worker.admin.sessions import database_away
from worker.domain.switching import Actor
from worker.store.database import DatabaseAwayError

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

SIGN_IN_PATH = "/sign-in"
AS_ANOTHER_PATH = "/sign-in?as=another"

SENTENCES: Mapping[WhyNot, str] = {
    WhyNot.STALE: "This sign-in is over, or was begun in another browser. Sign in again.",
    WhyNot.DENIED: "The identity provider says that sign-in was cancelled. Sign in again if that was not meant.",
    WhyNot.REFUSED: "The identity provider's answer could not be trusted. Sign in again; if that does not help, tell "
    "whoever runs this service.",
    WhyNot.NO_ROLE: "You have no role in this service. Ask a global administrator, or sign in as somebody else.",
    WhyNot.AWAY: "Sign-in can't be done right now, since something that it needs is away. Try again in a moment.",
    WhyNot.NOT_CONFIGURED: "Sign-in is not configured. Whoever runs this service has to set SYNC_OIDC_ISSUER.",
}
STATUSES: Mapping[WhyNot, HTTPStatus] = {
    WhyNot.STALE: HTTPStatus.BAD_REQUEST,
    WhyNot.DENIED: HTTPStatus.FORBIDDEN,
    WhyNot.REFUSED: HTTPStatus.FORBIDDEN,
    WhyNot.NO_ROLE: HTTPStatus.FORBIDDEN,
    WhyNot.AWAY: HTTPStatus.SERVICE_UNAVAILABLE,
    WhyNot.NOT_CONFIGURED: HTTPStatus.SERVICE_UNAVAILABLE,
}


@router.get("/sign-in")
async def depart(request: Request, context: Context) -> Response:
    """Sends the browser to the identity provider."""
    try:
        asked = request.query_params
        departure = await _sign_in(context).flow.depart(
            local_path(asked.get("next")), as_another=asked.get("as") == "another"
        )
    except SignInError as error:
        return _refusal(request, error)
    response = _redirect(departure.url)
    give(response, SIGN_IN, departure.cookie, SECONDS_TO_COME_BACK)
    return response


@router.get("/sign-in/callback")
async def arrive(request: Request, context: Context) -> Response:
    """Where the identity provider sends the browser back to."""
    try:
        sign_in = _sign_in(context)
        arrival = await sign_in.flow.arrive(request.query_params.multi_items(), request.cookies.get(SIGN_IN))
        actor = _actor(arrival)
        session_id = await _begin(sign_in, request.cookies.get(SESSION), actor, arrival)
    except SignInError as error:
        response = _refusal(request, error)
        take_back(response, SIGN_IN)
        return response
    log.info("signed_in", actor=actor.id, role=actor.role)
    response = _redirect(context.public_url + arrival.next_path)
    take_back(response, SIGN_IN)
    give(response, SESSION, session_id)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, context: Context) -> Response:
    """Ends the session here at once, and at the provider where it offers that.

    The browser goes on by `Refresh`: a redirect after a form is held up by Content-Security-Policy `form-action`.
    """
    continue_at = await _end(context, request.cookies.get(SESSION))
    response = render(request, "signed_out", continue_at=continue_at)
    if continue_at:
        response.headers["Refresh"] = f"0; url={continue_at}"
    response.headers["Cache-Control"] = "no-store"
    take_back(response, SESSION)
    return response


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    return render(request, "signed_out", continue_at=None)


def _sign_in(context: AdminContext) -> SignIn:
    if context.sign_in is None:
        raise SignInError(WhyNot.NOT_CONFIGURED, "not_configured")
    return context.sign_in


def _actor(arrival: Arrival) -> Actor:
    actor = actor_of(arrival.claims)
    if actor is None:
        log.warning("no_role_in_claims", claims=sorted(arrival.claims))
        raise SignInError(WhyNot.NO_ROLE, "no_role")
    return actor


async def _begin(sign_in: SignIn, former: str | None, actor: Actor, arrival: Arrival) -> str:
    """Always under a new id: one that somebody has planted or seen before is worth nothing afterwards."""
    try:
        await sign_in.sessions.end(former)
        return await sign_in.sessions.begin(actor, display_name(arrival.claims), arrival.id_token)
    except DatabaseAwayError:
        raise SignInError(WhyNot.AWAY, "database_away") from None


async def _end(context: AdminContext, session_id: str | None) -> str | None:
    """Raises ProblemError 503: nobody is told that they are signed out while they are not."""
    if context.sign_in is None:
        return None
    try:
        id_token = await context.sign_in.sessions.end(session_id)
    except DatabaseAwayError:
        raise database_away() from None
    return await context.sign_in.flow.departure_for_good(id_token, context.public_url + "/signed-out")


def _refusal(request: Request, error: SignInError) -> Response:
    log.warning("sign_in_refused", why=error.why, detail=error.detail)
    again = AS_ANOTHER_PATH if error.why is WhyNot.NO_ROLE else SIGN_IN_PATH
    response = render(
        request,
        "could_not_sign_in",
        status=STATUSES[error.why],
        why=error.why,
        sentence=SENTENCES[error.why],
        again=None if error.why is WhyNot.NOT_CONFIGURED else again,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _redirect(url: str) -> Response:
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
