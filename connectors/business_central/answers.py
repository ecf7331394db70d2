"""Business Central's answers → outcomes. Pure.

Sources: Microsoft Learn, "Business Central error codes" (webservices/dynamics-error-codes) and "Operational limits":
429 comes without `Retry-After`, 502 and 503 with one; 503 means queued too long, 504 cut off while running. No page
says which status goes with which code: a 404 may be about the company, or about a record that one item refers to, and
a key that is taken is told with 400 by some and 409 by others.
"""

from collections.abc import Mapping
from http import HTTPStatus

from connectors.contract import NotSent, Posting, Rejected, Unavailable, Unknown
from connectors.erp_text import error_code, message_for_people
from connectors.http import Answer, json_of, retry_after_from

_NEVER_STARTED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_REFUSES_THE_ITEM = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_NO_ACCESS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_SAME_KEY = "Internal_EntityWithSameKeyExists"

MISSING_RECORD = frozenset({"Internal_RecordNotFound", "Internal_DataNotFoundFilter"})
"""Codes of a 404 that is about a record: a set-up that the item needs, or the draft itself. `Internal_CompanyNotFound`,
`Internal_TenantUnavailable`, `BadRequest_ResourceNotFound`, `BadRequest_NotFound` and what has no code are about the
company, and so about every item."""

CLOSED_PERIOD = "closed_period"

_OUTSIDE_ALLOWED_DATES = "within your range of allowed posting dates"
_DIMENSION_EXISTS = "dimension set line already exists"
_NO_SUCH_RECORD = "Internal_InvalidTableRelation"


def refused_read(answer: Answer) -> NotSent | Unavailable:
    """A read that did not answer 200. Reads carry no reimbursement, so doubt is `NotSent`."""
    return no_access(answer) or NotSent(_status(answer), retry_after_from(answer))


def refused_write(answer: Answer, posting: Posting) -> NotSent | Rejected | Unavailable | Unknown:
    """A write that did not answer 2xx."""
    refused = never_started(answer) or no_access(answer)
    if refused is not None:
        return refused
    if refuses_the_item(answer) and json_of(answer) is not None:
        return _rejected(answer, posting)
    return Unknown(_status(answer))


def never_started(answer: Answer) -> NotSent | None:
    """None where it was started, or may have been."""
    if answer.status not in _NEVER_STARTED:
        return None
    return NotSent(_status(answer), retry_after_from(answer))


def refuses_the_item(answer: Answer) -> bool:
    return answer.status in _REFUSES_THE_ITEM or misses_a_record(answer) or _collides(answer)


def misses_a_record(answer: Answer) -> bool:
    """404 because of a record, where the company is there."""
    return answer.status == HTTPStatus.NOT_FOUND and _error(answer)[0] in MISSING_RECORD


def _collides(answer: Answer) -> bool:
    return answer.status == HTTPStatus.CONFLICT and _error(answer)[0] == _SAME_KEY


def meets_default_dimensions(answer: Answer) -> bool:
    """A dimension of ours stands on the line already, by the account's or the vendor's default (page 30022)."""
    return refuses_the_item(answer) and _DIMENSION_EXISTS in _error(answer)[1]


def _rejected(answer: Answer, posting: Posting) -> Rejected:
    code, message = _error(answer)
    told = message_for_people(message, posting) or "Business Central gave no reason."
    if _OUTSIDE_ALLOWED_DATES in message:
        day = posting.posting_date.isoformat()
        return Rejected(CLOSED_PERIOD, f"The period of {day} is closed in Business Central: {told}")
    if code == _NO_SUCH_RECORD:
        return Rejected("unknown_account_or_vendor", told)
    return Rejected(error_code(code, "refused"), told)


def refusal_code(answer: Answer) -> str:
    """Business Central's own, where it gave one."""
    return error_code(_error(answer)[0], f"HTTP {answer.status}")


def no_access(answer: Answer) -> Unavailable | None:
    """None where it is not about access."""
    is_gone = answer.status == HTTPStatus.NOT_FOUND and not misses_a_record(answer)
    if answer.status not in _NO_ACCESS and not is_gone:
        return None
    reasons = {
        HTTPStatus.UNAUTHORIZED: "Business Central refused the sign-in. Renew the app registration's secret, or "
        "register the app in Business Central again.",
        HTTPStatus.FORBIDDEN: "Business Central denies the app access to the company. Give the app its permission "
        "set back.",
        HTTPStatus.NOT_FOUND: "Business Central knows no such company or environment. Restore it, or correct "
        "tenant_id, environment and company_id.",
    }
    return Unavailable(reasons[HTTPStatus(answer.status)])


def _status(answer: Answer) -> str:
    code = error_code(_error(answer)[0], "")
    return f"Business Central answered HTTP {answer.status}{f' ({code})' if code else ''}."


def _error(answer: Answer) -> tuple[object, str]:
    """`{"error": {"code", "message"}}`."""
    content = json_of(answer)
    error = content.get("error") if isinstance(content, Mapping) else None
    if not isinstance(error, Mapping):
        return None, ""
    return error.get("code"), str(error.get("message") or "")
