"""What was refused, as a page: whoever is not signed in goes to sign in, and then on to where they wanted to go."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from worker.admin.problems import ProblemError, as_json
from worker.admin.screens.pages import page
from worker.admin.screens.reader import reader_of
from worker.domain.sentences import Sentence, say, say_number

API = "/api/"
LIVE = "x-live"
"""The header of what a page asks by itself, again and again."""
SENTENCES: Mapping[str, Sentence] = {
    "bad-cursor": say("This address leads to no page of the list."),
    "content-too-large": say("What was sent is too large. Nothing was changed. Shorten it, and try again."),
    "cross-site-request": say(
        "This did not come from a page of this service, so nothing was changed. Do it on its own pages."
    ),
    "database-away": say(
        "The database can't be reached or is busy. Look in a moment at what is so now, and try again if it is needed."
    ),
    "identity-provider-away": say(
        "The identity provider can't be reached, so nothing was changed. Try again in a moment."
    ),
    "internal-error": say(
        "Something went wrong here that nobody foresaw. Look at what is so now before trying again. If it happens "
        "again, tell whoever runs this service."
    ),
    "invalid-request": say(
        "Something in the address or the form is not valid, or too long. Nothing was changed. Go back, load the page "
        "again, and try once more."
    ),
    "method-not-allowed": say("This address can't be used like that. Nothing was changed. Begin on the first page."),
    "no-role-here": say("You have no role in this service. Ask a global administrator."),
    "not-found": say("Check the address, or begin on the first page."),
    "not-signed-in": say("Your session has ended. Nothing was changed. Sign in, and try again."),
    "not-your-organization": say(
        "You may see your own organisations only. Nothing was changed. Ask a global administrator where this is wrong."
    ),
    "request-timeout": say("What was sent came too slowly. Nothing was changed. Try again."),
    "sign-in-not-configured": say("Sign-in is not configured. Whoever runs this service has to set SYNC_OIDC_ISSUER."),
    "token-refused": say("Your sign-in is not valid any more. Nothing was changed. Sign in, and try again."),
}
"""What people read; the problem's own words are for programs."""
OTHERWISE = say("This could not be done. Look at what is so now before trying again.")


def as_page_or_json(request: Request, error: ProblemError) -> Response:
    """The API, and what pages ask by themselves, get JSON."""
    if request.url.path.startswith(API) or LIVE in request.headers:
        return as_json(request, error)
    if error.status is HTTPStatus.UNAUTHORIZED and request.method == "GET":
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(address, safe='')}", HTTPStatus.SEE_OTHER)
    sentence = reader_of(request).said(_sentence(error))
    response = page(request, "failure.html", caller=None, status=error.status, kind=error.kind, sentence=sentence)
    response.headers.update(error.headers)
    return response


def _sentence(error: ProblemError) -> Sentence:
    if error.kind == "too-many-requests":
        return say_number(
            "Too many changes in a short time; this one was not made. Wait 1 second, and try again.",
            "Too many changes in a short time; this one was not made. Wait {count} seconds, and try again.",
            count=int(error.headers["Retry-After"]),
        )
    return SENTENCES.get(error.kind, OTHERWISE)
