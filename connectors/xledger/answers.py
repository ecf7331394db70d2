"""Xledger's answers → outcomes. Pure.

GraphQL says what went wrong inside HTTP 200: `errors[] {message, code, extensions}`. The codes and how long
to wait after each are from xledger/graphql-samples (`GraphQLClient.cs`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import assert_never
from zoneinfo import ZoneInfo

from connectors.contract import NotSent, Posting, Rejected, Unavailable, Unknown
from connectors.erp_text import error_code, message_for_people
from connectors.http import Answer, NotDelivered, Uncertain, json_of, retry_after_from

_PAUSES = {
    "BURST_RATE_LIMIT_REACHED": timedelta(seconds=5),
    "CONCURRENCY_LIMIT_REACHED": timedelta(seconds=1),
}
_QUOTA = "INSUFFICIENT_CREDITS"
_XLEDGER_TIME = ZoneInfo("Europe/Oslo")
_LONGEST_PAUSE = timedelta(hours=24)
_REFUSES_THE_ITEM = ("ARGUMENTS_OF_CORRECT_TYPE", "INVALID_VALUE")
_REFUSES_THE_TOKEN = ("UNAUTHORIZED", "UNAUTHENTICATED", "FORBIDDEN", "INVALID_TOKEN", "ACCESS_DENIED")
_TOKEN_WORDS = ("api token", "authorization header", "authentication")

_RENEW = "Xledger refused the API token. Make a new token in Xledger and configure the connector again."
_NO_ACCESS = "Xledger denies the API token access to this company. Give its user the rights back."


@dataclass(frozen=True, slots=True)
class Refusal:
    """One entry of `errors`. `code` is its last part: `BURST_RATE_LIMIT_REACHED`."""

    code: str
    message: str
    reset_at: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole GraphQL answer: `data` may be there beside `refusals`."""

    data: Mapping[str, object]
    refusals: Sequence[Refusal]


def read_reply(answer: Answer | NotDelivered | Uncertain) -> Reply | NotSent | Unavailable | Uncertain:
    """What came back, whatever was asked. `Uncertain` where a mutation may have been applied."""
    match answer:
        case NotDelivered(evidence=evidence):
            return NotSent(f"Xledger was not reached: {evidence}.")
        case Uncertain():
            return answer
        case Answer():
            return _read_answer(answer)
        case unreachable:
            assert_never(unreachable)


def refused_mutation(
    reply: Reply, posting: Posting, now: datetime
) -> NotSent | Rejected | Unavailable | Unknown | None:
    """None where nothing was refused. `now` is aware. A refusal beside data means a part may be in: unknown."""
    if not reply.refusals:
        return None
    if any(value is not None for value in reply.data.values()):
        return Unknown("Xledger's answer held errors beside data.")
    general = _general(reply.refusals, now)
    if general is not None:
        return general
    of_the_item = next((refusal for refusal in reply.refusals if refusal.code in _REFUSES_THE_ITEM), None)
    if of_the_item is not None:
        told = message_for_people(of_the_item.message, posting) or "Xledger gave no reason."
        return Rejected(error_code(of_the_item.code, "refused"), told)
    return Unknown(f"Xledger answered with the error {error_code(reply.refusals[0].code, 'without a code')}.")


def refused_query(reply: Reply, now: datetime) -> NotSent | Unavailable | None:
    """None where nothing was refused. Queries change nothing, so doubt is `NotSent`."""
    if not reply.refusals:
        return None
    general = _general(reply.refusals, now)
    code = error_code(reply.refusals[0].code, "without a code")
    return general or NotSent(f"Xledger answered with the error {code}.")


def _read_answer(answer: Answer) -> Reply | NotSent | Unavailable | Uncertain:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Unavailable(_RENEW)
    if answer.status == HTTPStatus.FORBIDDEN:
        return Unavailable(_NO_ACCESS)
    if answer.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return NotSent(f"Xledger answered HTTP {answer.status}.", retry_after_from(answer))
    content = json_of(answer)
    if answer.status not in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST} or not isinstance(content, Mapping):
        return Uncertain(f"Xledger answered HTTP {answer.status} in an unexpected form")
    return _reply(content) or Uncertain("Xledger's answer held neither data nor errors")


def _reply(content: Mapping[object, object]) -> Reply | None:
    data, errors = content.get("data"), content.get("errors") or []
    if not isinstance(errors, list) or not (isinstance(data, Mapping) or errors):
        return None
    fields = {str(name): value for name, value in data.items()} if isinstance(data, Mapping) else {}
    return Reply(fields, [_refusal(error) for error in errors])


def _refusal(error: object) -> Refusal:
    fields = error if isinstance(error, Mapping) else {}
    extensions = fields.get("extensions")
    extra = extensions if isinstance(extensions, Mapping) else {}
    code = str(fields.get("code") or extra.get("code") or "")
    return Refusal(code.rsplit(".", 1)[-1], str(fields.get("message") or ""), str(extra.get("resetAt") or ""))


def _general(refusals: Sequence[Refusal], now: datetime) -> NotSent | Unavailable | None:
    """What concerns every request: limits and the token."""
    for refusal in refusals:
        if refusal.code in _PAUSES:
            return NotSent("Xledger's limit of requests was reached.", _PAUSES[refusal.code])
        if refusal.code == _QUOTA:
            return NotSent("Xledger's quota of credits is used up.", _until(refusal.reset_at, now))
        if refusal.code in _REFUSES_THE_TOKEN or _is_about_the_token(refusal):
            return Unavailable(_RENEW)
    return None


def _is_about_the_token(refusal: Refusal) -> bool:
    """ "Bad format for API Token. Expected header: …" was seen without a code of its own. What is said of an item may
    quote its text, and that may hold any words."""
    if refusal.code in _REFUSES_THE_ITEM:
        return False
    return any(words in refusal.message.lower() for words in _TOKEN_WORDS)


def _until(reset_at: str, now: datetime) -> timedelta | None:
    try:
        reset = datetime.fromisoformat(reset_at)
    except ValueError:
        return None
    aware = reset if reset.tzinfo is not None else reset.replace(tzinfo=_XLEDGER_TIME)
    return min(max(aware - now, timedelta(seconds=1)), _LONGEST_PAUSE)
