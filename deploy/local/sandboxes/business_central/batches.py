"""`$batch`: many calls in one request, answered one by one inside HTTP 200.

With `Isolation: snapshot` all of them or none, but that a posting commits what came before it. Without, they stand by
themselves and stop at the first that fails. Source: MicrosoftDocs/dynamics365smb-devitpro-pb,
webservices/use-odata-batch.md; at most 100 calls by "Operational limits".
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from deploy.local.sandboxes.answers import Answer, json_answer
from deploy.local.sandboxes.business_central.company import Savepoint
from deploy.local.sandboxes.business_central.odata import read_query
from deploy.local.sandboxes.business_central.operations import CARRYING, Call, Desk
from deploy.local.sandboxes.business_central.refusals import RefusedError
from deploy.local.sandboxes.business_central.routes import place_of
from deploy.local.sandboxes.exchange import Verdict
from deploy.local.sandboxes.ledger import Effect

_MOST_CALLS = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` are the client's own names of the calls, in their order."""

    calls: Sequence[Call]
    ids: Sequence[str | None]
    is_snapshot: bool


def read_batch(root: str, content: object, isolation: str) -> Batch:
    """`root` is the path that the calls' own begin behind. Raises `RefusedError`."""
    requests = content.get("requests") if isinstance(content, dict) else None
    if not isinstance(requests, list) or not all(isinstance(each, dict) for each in requests):
        raise RefusedError("Invalid Request Body")
    if len(requests) > _MOST_CALLS:
        raise RefusedError(f"The batch request holds more than {_MOST_CALLS} operations.", code="BadRequest")
    ids = [str(each["id"]) if "id" in each else None for each in requests]
    return Batch([_call(root, each) for each in requests], ids, isolation.lower() == "snapshot")


def apply_batch(batch: Batch, desk_of: Callable[[Call], Desk]) -> Verdict:
    """Calls behind the first that fails are not reached."""
    answers: list[Answer] = []
    effects: list[list[Effect]] = [_nothing(call, "not reached") for call in batch.calls]
    savepoints: dict[int, tuple[Desk, Savepoint]] = {}
    for index, call in enumerate(batch.calls):
        desk = desk_of(call)
        savepoints.setdefault(id(desk), (desk, desk.company.savepoint()))
        verdict = desk.apply(call, 0)
        answers.append(verdict.answer)
        effects[index] = list(verdict.effects)
        if verdict.answer.status >= 400:  # noqa: PLR2004  where HTTP's refusals begin
            if batch.is_snapshot:
                _roll_back(savepoints, batch.calls, effects)
            break
        if call.place.operation == "post_invoice":
            savepoints = {}
    return Verdict(_answer(batch, answers), [effect for each in effects for effect in each])


def _roll_back(
    savepoints: Mapping[int, tuple[Desk, Savepoint]], calls: Sequence[Call], effects: list[list[Effect]]
) -> None:
    for desk, savepoint in savepoints.values():
        desk.company.roll_back(savepoint)
    posts = [index for index, call in enumerate(calls) if call.place.operation == "post_invoice"]
    committed = max((index for index in posts if any(effect.applied for effect in effects[index])), default=-1)
    for index in range(committed + 1, len(calls)):
        if any(effect.applied for effect in effects[index]):
            effects[index] = _nothing(calls[index], "rolled back")


def _nothing(call: Call, note: str) -> list[Effect]:
    return [Effect(applied=False, note=note)] if call.place.operation in CARRYING else []


def _answer(batch: Batch, answers: Sequence[Answer]) -> Answer:
    responses = [
        {
            "id": name,
            "status": answer.status,
            "headers": {"content-type": "application/json; odata.metadata=minimal"} if answer.body else {},
            **({"body": json.loads(answer.body)} if answer.body else {}),
        }
        for name, answer in zip(batch.ids, answers, strict=False)
    ]
    return json_answer({"responses": responses})


def _call(root: str, request: Mapping[str, object]) -> Call:
    headers = {name.lower(): str(value) for name, value in _mapping(request.get("headers")).items()}
    url = URL(str(request.get("url", "")).removeprefix("/"))
    path = url.path
    if "companyid" in headers and not path.startswith("companies("):
        path = f"companies({headers['companyid']})/{path}"
    place = place_of(str(request.get("method", "")).upper(), f"{root}/{path}")
    return Call(place, read_query(url.query), request.get("body"), headers.get("if-match"))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
