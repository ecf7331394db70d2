import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas import outcome, publish
from schemas.approval import ReimbursementApproved
from schemas.examples import EXAMPLE_BY_TYPE
from schemas.outcome import EventType, OutcomeContent
from schemas.toggle import ConnectorToggled
from tests.unit.bad_records import approval

_EVENTS: dict[str, type[BaseModel]] = {
    ReimbursementApproved.TYPE: ReimbursementApproved,
    ConnectorToggled.TYPE: ConnectorToggled,
    EventType.REIMBURSEMENT_SYNCED: outcome.ReimbursementSynced,
    EventType.REIMBURSEMENT_REJECTED: outcome.ReimbursementRejected,
    EventType.REIMBURSEMENT_OUTCOME_UNKNOWN: outcome.ReimbursementOutcomeUnknown,
    EventType.CONNECTOR_CHANGED: outcome.ConnectorChanged,
    EventType.SYNC_RUN_FINISHED: outcome.SyncRunFinished,
}


def test_what_is_committed_is_what_would_be_generated() -> None:
    assert publish.stale(publish.PUBLISHED) == []


@pytest.mark.parametrize("event_type", _EVENTS)
def test_each_example_is_valid_by_schema_and_by_model(event_type: str) -> None:
    text = (publish.PUBLISHED / "examples" / f"{event_type}.json").read_text(encoding="utf-8")
    _EVENTS[event_type].model_validate_json(text)
    _validator(event_type).validate(json.loads(text))


@pytest.mark.parametrize("event_type", list(EventType))
def test_an_event_out_writes_what_its_schema_says(event_type: EventType) -> None:
    event = _EVENTS[event_type].model_validate_json(json.dumps(EXAMPLE_BY_TYPE[event_type]))
    assert isinstance(event, OutcomeContent)
    assert json.loads(event.to_json()) == EXAMPLE_BY_TYPE[event_type]
    _validator(event_type).validate(json.loads(event.to_json()))


def test_the_schema_of_approvals_refuses_what_the_model_refuses_by_shape() -> None:
    validator = _validator(ReimbursementApproved.TYPE)
    assert validator.is_valid(approval("R-1"))
    assert not validator.is_valid(approval("R-1", total=1))
    assert not validator.is_valid(approval("R-1", total="1,5"))
    assert not validator.is_valid(approval("R-1", currency="DEM"))
    assert not validator.is_valid(approval("R-1", lines=[]))
    assert not validator.is_valid(approval("R 1"))


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    rendered = publish.render()
    document = json.loads(rendered["asyncapi.json"])
    for reference in _references(document):
        assert _leads_somewhere(reference, document, rendered), reference
    assert len(document["channels"]) == 4


def test_check_names_each_stale_file_and_write_mends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path)
    publish.write(tmp_path)
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "left_over.json").write_text("{}")
    assert publish.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert [line.split()[0] for line in told.splitlines()] == ["asyncapi.json", "left_over.json"]
    assert publish.main([]) == 0
    assert publish.main(["--check"]) == 0


def test_another_argument_is_wrong_usage() -> None:
    assert publish.main(["--chekc"]) == 2


def _validator(event_type: str) -> Draft202012Validator:
    schema = json.loads((publish.PUBLISHED / f"{event_type}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for member in node.values():
            yield from _references(member)
    if isinstance(node, list):
        for member in node:
            yield from _references(member)


def _leads_somewhere(reference: str, document: dict[str, object], rendered: dict[str, str]) -> bool:
    if not reference.startswith("#/"):
        return reference.removeprefix("./") in rendered
    node: object = document
    for part in reference[2:].split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    return node is not None
