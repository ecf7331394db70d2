"""Writes `published/`, what other teams build against. `python -m schemas.publish [--check]`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from schemas.approval import ReimbursementApproved
from schemas.asyncapi import asyncapi
from schemas.cloudevent import Json
from schemas.examples import EXAMPLE_BY_TYPE
from schemas.outcome import (
    ConnectorChanged,
    ReimbursementOutcomeUnknown,
    ReimbursementRejected,
    ReimbursementSynced,
    SyncRunFinished,
)
from schemas.toggle import ConnectorToggled

PUBLISHED: Final = Path(__file__).parent / "published"
_EVENTS_IN: Final = (ReimbursementApproved, ConnectorToggled)
_EVENTS_OUT: Final = (
    ReimbursementSynced,
    ReimbursementRejected,
    ReimbursementOutcomeUnknown,
    ConnectorChanged,
    SyncRunFinished,
)


def render() -> dict[str, str]:
    """Path below `published/` → text, for every published file."""
    schemas = {f"{event.TYPE}.schema.json": _json_schema(event, event.TYPE) for event in (*_EVENTS_IN, *_EVENTS_OUT)}
    examples = {f"examples/{event_type}.json": data for event_type, data in EXAMPLE_BY_TYPE.items()}
    documents = {"asyncapi.json": asyncapi(EXAMPLE_BY_TYPE), **schemas, **examples}
    return {path: _text(document) for path, document in documents.items()}


def stale(directory: Path) -> list[str]:
    """Paths below the directory that are missing, differ from what is rendered, or are rendered no more."""
    rendered = render()
    present = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.json")}
    differing = [
        name
        for name, text in rendered.items()
        if name not in present or present[name].read_text(encoding="utf-8") != text
    ]
    return sorted({*differing, *(present.keys() - rendered.keys())})


def write(directory: Path) -> None:
    """Makes the directory hold what is rendered, and no other JSON."""
    for name in stale(directory):
        (directory / name).unlink(missing_ok=True)
    export(directory)


def export(directory: Path) -> list[str]:
    """Writes what is rendered beside whatever the directory holds, and answers the paths. Raises OSError."""
    rendered = render()
    for name, text in rendered.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(rendered)


def main(arguments: list[str]) -> int:
    """Exit code: 1 if `--check` finds stale files, 2 for any other argument."""
    match arguments:
        case []:
            write(PUBLISHED)
            return 0
        case ["--check"]:
            return _check(PUBLISHED)
        case _:
            sys.stderr.write("usage: python -m schemas.publish [--check]\n")
            return 2


def _check(directory: Path) -> int:
    names = stale(directory)
    for name in names:
        sys.stderr.write(f"{name} is stale: run python -m schemas.publish\n")
    return 1 if names else 0


def _json_schema(event: type[BaseModel], event_type: str) -> dict[str, Json]:
    schema: Mapping[str, Json] = event.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": event_type}


def _text(document: Mapping[str, Json]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
