"""What the READMEs list for operators is what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter, Gauge, Histogram

from connectors.account_mapping import AccountMapping
from connectors.contract import Environment
from connectors.mapping import validate_mapping
from worker import telemetry
from worker.bootstrap import installed_connectors
from worker.probes import Probes
from worker.settings import Settings
from worker.setup import OWN_FIELDS

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
CONNECTORS = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")


def _section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _first_cells(section: str) -> list[list[str]]:
    """The names of each row's first cell."""
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in section.splitlines() if row.startswith("| `")]


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = [row for row in _section(DEPLOY, "Settings").splitlines() if row.startswith("| `")]
    told = {name: row.split("|")[3] for row in rows for name in re.findall(r"`(SYNC_\w+)`", row.split("|")[1])}
    assert sorted(told) == sorted(f"SYNC_{name.upper()}" for name in Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, str | int | float) and field.default:
            shown = str(field.default).removesuffix(".0")
            assert f"`{shown}`" in told[f"SYNC_{name.upper()}"], name


def test_every_metric_has_a_line() -> None:
    ours = [one for one in vars(telemetry).values() if isinstance(one, Counter | Gauge | Histogram)]
    names = {next(iter(one.describe())).name + ("_total" if isinstance(one, Counter) else "") for one in ours}
    told = {name for row in _first_cells(_section(DEPLOY, "Probes and metrics")) for name in row if "_" in name}
    assert {name for name in told if name.startswith("accounting_sync_")} == names


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_the_probes_are_where_the_table_says(path: str) -> None:
    assert [path] in _first_cells(_section(DEPLOY, "Probes and metrics"))
    assert hasattr(Probes, f"_{path[1:]}")


def test_every_field_of_the_mapping_and_of_the_file_is_explained() -> None:
    told = {name for row in _first_cells(_section(CONNECTORS, "The configuration file")) for name in row}
    assert told >= {*AccountMapping.model_fields, *OWN_FIELDS, "quarantine_seconds", "concurrency"}


@pytest.mark.asyncio
@pytest.mark.parametrize(("number", "kind"), [(0, "xledger"), (1, "business_central")])
async def test_each_example_of_a_configuration_is_one(number: int, kind: str) -> None:
    examples = re.findall(r"```json\n(.*?)```", _section(CONNECTORS, "The configuration file"), re.DOTALL)
    file: dict[str, Any] = json.loads(examples[number])
    factory = installed_connectors()[kind]
    assert set(file["credentials"]) == set(factory.secret_fields)
    settings = {name: value for name, value in file.items() if name not in OWN_FIELDS}
    credentials = dict.fromkeys(factory.secret_fields, "x")
    factory.connect(settings, credentials, validate_mapping(file["mapping"]), Environment())
