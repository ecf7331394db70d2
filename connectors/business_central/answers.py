"""Business Central's answers → outcomes. Pure.

Sources: Microsoft Learn, "Business Central error codes" (webservices/dynamics-error-codes) and "Operational limits":
429 comes without `Retry-After`, 502 and 503 with one; 503 means queued too long, 504 cut off while running.
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
_NO_ACCESS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})

CLOSED_PERIOD = "closed_period"

_OUTSIDE_ALLOWED_DATES = "within your range of allowed posting dates"
_DIMENSION_EXISTS = "dimension set line already exists"
_NO_SUCH_RECORD = "Internal_InvalidTableRelation"


def refused_read(answer: Answer) -> NotSent | Unavailable:
    """A read that did not answer 200. Reads carry no reimbursement, so doubt is `NotSent`."""
    return no_access(answer) or NotSent(f"Business Central answered HTTP {answer.status}.", retry_after_from(answer))


def refused_write(answer: Answer, posting: Posting) -> NotSent | Rejected | Unavailable | Unknown:
    """A write that did not answer 2xx."""
    refused = never_started(answer) or no_access(answer)
    if refused is not None:
        return refused
    if answer.status in _REFUSES_THE_ITEM and json_of(answer) is not None:
        return _rejected(answer, posting)
    return Unknown(f"Business Central answered HTTP {answer.status}.")


def never_started(answer: Answer) -> NotSent | None:
    """None where it was started, or may have been."""
    if answer.status not in _NEVER_STARTED:
        return None
    return NotSent(f"Business Central answered HTTP {answer.status}.", retry_after_from(answer))


def refuses_the_item(answer: Answer) -> bool:
    return answer.status in _REFUSES_THE_ITEM


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
    if answer.status not in _NO_ACCESS:
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


def _error(answer: Answer) -> tuple[object, str]:
    """`{"error": {"code", "message"}}`."""
    content = json_of(answer)
    error = content.get("error") if isinstance(content, Mapping) else None
    if not isinstance(error, Mapping):
        return None, ""
    return error.get("code"), str(error.get("message") or "")
