"""The folder that takes the place of an ERP: each reimbursement once, whole, whatever happens in between."""

import csv
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest

from connectors import file
from connectors.contract import (
    Absent,
    ConfigurationError,
    Document,
    Environment,
    Found,
    NotSent,
    Posted,
    Posting,
    PostingLine,
    PostOutcome,
    Unavailable,
    Unknown,
)
from connectors.file.connector import FileConnector
from connectors.file.folder import Folder
from tests.unit.connectors.samples import mapping, posting


class Leave:
    """A permit that says what it is told to."""

    def __init__(self, *, is_valid: bool = True) -> None:
        self._is_valid = is_valid

    def is_valid(self) -> bool:
        return self._is_valid


class CrashError(BaseException):
    """The process is gone: nothing of ours handles it."""


def connect(folder: Path, **settings: object) -> FileConnector:
    connector = file.factory.connect({"folder": str(folder), **settings}, {}, mapping(), Environment())
    assert isinstance(connector, FileConnector)
    return connector


async def post(folder: Path, what: Posting, **settings: object) -> PostOutcome:
    return await connect(folder, **settings).post(what, Leave())


def rows(folder: Path, delimiter: str = ",") -> list[Mapping[str, str]]:
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as ledger:
        return list(csv.DictReader(ledger, delimiter=delimiter))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def documents(folder: Path) -> list[str]:
    return [name for name in names(folder / "documents") if not name.startswith(".")]


async def test_a_posting_is_one_document_and_one_row_as_a_bookkeeper_reads_them(tmp_path: Path) -> None:
    what = posting()
    assert await post(tmp_path, what) == Posted(Document(what.reference, f"{what.reference}.json"))
    content = json.loads((tmp_path / "documents" / f"{what.reference}.json").read_bytes())
    assert content["total"] == "1250.50"
    assert content["lines"][0] == {
        "account": "7140",
        "amount": "1000.50",
        "text": "Train",
        "tax_code": "0",
        "dimensions": {"AVD": "10"},
    }
    assert rows(tmp_path) == [
        {
            "reference": what.reference,
            "posting_date": "2026-11-20",
            "document_date": "2026-11-04",
            "claimant": "10023",
            "currency": "NOK",
            "total": "1250.50",
            "counter_account": "2930",
            "text": "Peer meeting, Lillehammer",
            "document": f"{what.reference}.json",
        }
    ]
    assert names(tmp_path / "documents") == documents(tmp_path), "a draft stayed"


@pytest.mark.promise("P2")
async def test_the_same_reference_again_writes_nothing_whoever_tries(tmp_path: Path) -> None:
    what = posting()
    first = await post(tmp_path, what)
    before = (tmp_path / "ledger.csv").read_bytes()
    again = await connect(tmp_path).post(replace(what, attempt=2), Leave())
    assert again == first
    assert (tmp_path / "ledger.csv").read_bytes() == before
    assert len(documents(tmp_path)) == 1


async def test_another_amount_under_the_reference_waits_for_a_person_with_both_values(tmp_path: Path) -> None:
    await post(tmp_path, posting())
    outcome = await post(tmp_path, posting(total=Decimal("99.00")))
    assert isinstance(outcome, Unknown)
    assert outcome.conflict is not None
    assert "1250.50 NOK" in outcome.evidence
    assert "99.00 NOK" in outcome.evidence
    assert [row["total"] for row in rows(tmp_path)] == ["1250.50"]


async def test_a_document_that_a_crash_left_without_its_row_gets_it_from_a_look_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise CrashError

    what, connector = posting(), connect(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "list_in_ledger", crash)
        with pytest.raises(CrashError):
            await connector.post(what, Leave())
    assert len(documents(tmp_path)) == 1
    found = await connect(tmp_path).look_up([what])
    assert found == {what.reference: Found(Document(what.reference, f"{what.reference}.json"), what.total, "NOK")}
    assert [row["reference"] for row in rows(tmp_path)] == [what.reference]


async def test_a_row_that_a_crash_left_out_is_made_up_for_by_whoever_comes_next(tmp_path: Path) -> None:
    for number in range(3):
        await post(tmp_path, posting(f"R-{number}"))
    ledger = tmp_path / "ledger.csv"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:3]) + lines[3][:7])  # the last row was being written
    await post(tmp_path, posting("R-3"))
    assert sorted(row["reference"][:3] for row in rows(tmp_path)) == ["R-0", "R-1", "R-2", "R-3"]


async def test_two_connectors_on_one_folder_see_each_others_rows(tmp_path: Path) -> None:
    ours, theirs = connect(tmp_path), connect(tmp_path)
    for number in range(4):
        await (ours, theirs)[number % 2].post(posting(f"R-{number}"), Leave())
    assert [row["reference"][:3] for row in rows(tmp_path)] == ["R-0", "R-1", "R-2", "R-3"]


def test_processes_that_race_for_the_same_references_write_each_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("forkserver")) as processes:
        names = list(processes.map(_race, [str(tmp_path)] * 4))
    assert len(set(map(tuple, names))) == 1
    assert len(documents(tmp_path)) == len(rows(tmp_path)) == 25
    assert len({row["reference"] for row in rows(tmp_path)}) == 25


def _race(folder: str) -> list[str]:
    import asyncio

    async def run() -> list[str]:
        outcomes = [await post(Path(folder), posting(f"R-{number}")) for number in range(25)]
        return [outcome.document.number for outcome in outcomes if isinstance(outcome, Posted)]

    return asyncio.run(run())


@pytest.mark.promise("P3")
async def test_an_ended_permit_leaves_no_document(tmp_path: Path) -> None:
    outcome = await connect(tmp_path).post(posting(), Leave(is_valid=False))
    assert isinstance(outcome, NotSent)
    assert names(tmp_path / "documents") == []
    assert not (tmp_path / "ledger.csv").exists()


@pytest.mark.parametrize("text", ["=1+1", "+47 22", "-5", "@SUM(A1)", "\t=x", '=cmd|" /C calc"!A0', " =1"])
@pytest.mark.parametrize("delimiter", [",", ";"])
async def test_no_cell_is_a_formula_and_none_breaks_its_row(tmp_path: Path, text: str, delimiter: str) -> None:
    line = PostingLine("7140", Decimal("1250.50"), text)
    what = posting(text=f'{text}, "a";\r\nb', claimant="-10023", lines=(line,))
    await post(tmp_path, what, delimiter=delimiter)
    (row,) = rows(tmp_path, delimiter)
    assert row["text"] == "'" + " ".join(what.text.split())
    assert row["claimant"] == "'-10023"
    assert len((tmp_path / "ledger.csv").read_bytes().splitlines()) == 2


async def test_a_reference_with_a_colon_is_a_name_on_every_system(tmp_path: Path) -> None:
    what = posting("A:B..c")
    await post(tmp_path, what)
    assert documents(tmp_path) == [f"{what.reference.replace(':', '_')}.json"]
    assert isinstance((await found_in(tmp_path, what.reference)), Found)


async def found_in(folder: Path, reference: str) -> object:
    found = await connect(folder).look_up([posting(reference=reference)])
    assert not isinstance(found, NotSent | Unavailable)
    return found[reference]


async def test_what_was_never_posted_is_absent(tmp_path: Path) -> None:
    assert await found_in(tmp_path, "../../etc/passwd") == Absent()


async def test_a_folder_that_is_gone_suspends_with_its_name(tmp_path: Path) -> None:
    outcome = await post(tmp_path / "gone", posting())
    assert isinstance(outcome, Unavailable)
    assert str(tmp_path / "gone") in outcome.reason
    problems = await connect(tmp_path / "gone").test()
    assert not isinstance(problems, NotSent | Unavailable)
    assert [problem.message for problem in problems] == [outcome.reason]
    assert await connect(tmp_path).test() == []
    assert names(tmp_path) == [], "a test writes nothing"


async def test_what_stands_there_and_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    what = posting()
    (tmp_path / "documents").mkdir()
    foreign = tmp_path / "documents" / f"{what.reference}.json"
    foreign.write_text("not ours")
    assert isinstance(await post(tmp_path, what), Unknown)
    assert isinstance(await connect(tmp_path).look_up([what]), NotSent)
    assert foreign.read_text() == "not ours"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "folder is missing."),
        ({"folder": "ledgers"}, "folder has a value of the wrong form."),
        ({"folder": "/srv/../etc"}, "folder has a value of the wrong form."),
        ({"folder": "/srv", "delimiter": "|"}, "delimiter is not one of the values it may have."),
        ({"folder": "/srv", "base_url": "x"}, "base_url is not a known setting."),
    ],
)
def test_a_configuration_that_cannot_work_is_told(settings: Mapping[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        file.factory.validate(settings, Environment())
    assert raised.value.problems == (told,)
