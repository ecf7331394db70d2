"""Xledger's fields as one client library recorded them, where they lie beside the project; they are not part of it."""

import json
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "xledger"


def recorded(name: str) -> dict[str, str]:
    """Field → type, nested fields joined by `_`: `period_fromDate`. Skips the test where the record is absent."""
    file = _FOLDER / f"{name}.json"
    if not file.is_file():
        pytest.skip("the recorded field lists of Xledger are not beside the project")
    return {field["name"]: field["type"] for field in json.loads(file.read_text(encoding="utf-8"))["fields"]}
