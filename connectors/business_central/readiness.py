"""`connector test` for Business Central: signs in, reads the company and whatever the mapping names. Writes nothing.

Sources of the fields: pages 30014 "APIV2 - Accounts", 30015 "APIV2 - Tax Groups" (VAT product posting groups where the
company uses VAT, as `taxCode` of page 30047 does), 30021 "APIV2 - Dimensions" and 30040 (microsoft/ALAppExtensions);
Microsoft Learn, "vendor resource type".
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from urllib.parse import quote

from connectors.account_mapping import AccountMapping
from connectors.business_central.api import CompanyApi
from connectors.business_central.documents import quoted
from connectors.business_central.open_days import SETUP, OpenDays, open_days_in
from connectors.contract import NotSent, Problem, Unavailable
from connectors.mapped_names import mapped_accounts, mapped_claimants, mapped_tax_codes

_LONGEST_FILTER = 1800
"""Characters, encoded: the address stays below 2,000, which every proxy passes."""

_OR = " or "

Row = Mapping[object, object]
Problems = list[Problem] | NotSent | Unavailable


@dataclass(frozen=True, slots=True)
class Question:
    """`names` are looked up by `key`; `faults` says what is wrong with a row that is there."""

    path: str
    noun: str
    key: str
    names: Sequence[str]
    faults: Callable[[str, Row], Iterable[str]]


async def problems(api: CompanyApi, mapping: AccountMapping, today: date) -> Problems:
    """All there are, in one list. `today` is the organisation's."""
    told: list[Problem] = []
    for check in _checks(api, mapping, today):
        found = await check()
        if isinstance(found, NotSent | Unavailable):
            return found
        told += found
    return told


def _checks(api: CompanyApi, mapping: AccountMapping, today: date) -> Iterator[Callable[[], Awaitable[Problems]]]:
    yield partial(_company, api)
    for question in _questions(mapping):
        yield partial(_answer, api, question)
    yield partial(_dimensions, api, mapping)
    yield partial(_open_days, api, mapping, today)


def _questions(mapping: AccountMapping) -> Iterator[Question]:
    booked = mapped_accounts(mapping.model_copy(update={"counter_account": None}))
    owed = set(mapped_accounts(mapping)) - set(booked)
    yield Question("accounts", "account", "number", booked, _faults_of_booked_account)
    yield Question("accounts", "account", "number", sorted(owed), _faults_of_account)
    yield Question("vendors", "vendor", "number", mapped_claimants(mapping), _faults_of_vendor)
    yield Question("taxGroups", "tax code", "code", mapped_tax_codes(mapping), lambda _, __: ())


async def _company(api: CompanyApi) -> Problems:
    rows = await api.rows("companyInformation")
    if isinstance(rows, NotSent | Unavailable):
        return rows
    row = _row(rows)
    if isinstance(row.get("currencyCode"), str) and row["currencyCode"]:
        return []
    return [Problem("company", "Business Central states no currency of the company. Fill in LCY Code in its set-up.")]


async def _answer(api: CompanyApi, question: Question) -> Problems:
    known = await _known(api, question)
    if isinstance(known, NotSent | Unavailable):
        return known
    return [
        Problem(f"{question.noun} {name}", sentence)
        for name in question.names
        for sentence in _sentences(question, name, known.get(name.upper()))
    ]


async def _known(api: CompanyApi, question: Question) -> dict[str, Row] | NotSent | Unavailable:
    """The rows that are there, by their key in capitals."""
    chunks = filters(question.key, question.names)
    known: dict[str, Row] = {}
    for rows in await asyncio.gather(*(api.rows(question.path, filter=chunk) for chunk in chunks)):
        if isinstance(rows, NotSent | Unavailable):
            return rows
        known |= {str(row.get(question.key)).upper(): row for row in rows if isinstance(row, Mapping)}
    return known


def filters(key: str, names: Sequence[str]) -> Iterator[str]:
    """As few as can be, each short enough for an address."""
    clauses: list[str] = []
    length = 0
    for name in names:
        clause = f"{key} eq {quoted(name)}"
        longer = len(quote(clause + _OR))
        if clauses and length + longer > _LONGEST_FILTER:
            yield _OR.join(clauses)
            clauses, length = [], 0
        clauses.append(clause)
        length += longer
    if clauses:
        yield _OR.join(clauses)


def _sentences(question: Question, name: str, row: Row | None) -> Iterable[str]:
    if row is None:
        return (f"Business Central has no {question.noun} {name}.",)
    return question.faults(name, row)


def _faults_of_account(number: str, row: Row) -> Iterator[str]:
    if row.get("blocked") is True:
        yield f"The account {number} is blocked in Business Central."
    if row.get("accountType") not in {None, "Posting"}:
        yield f"The account {number} is a heading or a total in Business Central, not one that is booked on."


def _faults_of_booked_account(number: str, row: Row) -> Iterator[str]:
    yield from _faults_of_account(number, row)
    if row.get("directPosting") is False:
        yield f"The account {number} takes no direct posting in Business Central. Allow it, or map another account."


def _faults_of_vendor(number: str, row: Row) -> Iterator[str]:
    # "Payment" takes invoices still, and a blank travels as "_x0020_".
    if row.get("blocked") == "All":
        yield f"The vendor {number} is blocked in Business Central."


async def _dimensions(api: CompanyApi, mapping: AccountMapping) -> Problems:
    """Which values are used only the events know; a dimension without any value cannot be right."""
    codes = sorted(set(mapping.dimensions.values()))
    question = Question("dimensions", "dimension", "code", codes, lambda _, __: ())
    known = await _known(api, question)
    if isinstance(known, NotSent | Unavailable):
        return known
    told = [
        Problem(f"dimension {code}", f"Business Central has no dimension {code}.")
        for code in codes
        if code.upper() not in known
    ]
    for code, row in sorted(known.items()):
        values = await api.rows("dimensionValues", filter=f"dimensionId eq {row.get('id')}", top="1")
        if isinstance(values, NotSent | Unavailable):
            return values
        if not values:
            told.append(Problem(f"dimension {code}", f"The dimension {code} has no values in Business Central."))
    return told


async def _open_days(api: CompanyApi, mapping: AccountMapping, today: date) -> Problems:
    rows = await api.rows(SETUP)
    if isinstance(rows, NotSent):
        return rows
    if isinstance(rows, Unavailable):
        if mapping.posting_date != "first_open_date":
            return []
        sentence = "The app may not read General Ledger Setup, so it cannot know the first open date. Permit it."
        return [Problem("posting dates", sentence)]
    open_days = open_days_in(_row(rows))
    booked = open_days.first_from(today) if mapping.posting_date == "first_open_date" else today
    if open_days.hold(booked):
        return []
    return [Problem("posting dates", _closed(open_days, today))]


def _closed(open_days: OpenDays, today: date) -> str:
    return f"The company books {open_days}, which leaves out today, {today.isoformat()}. Open the period."


def _row(rows: Sequence[object]) -> Row:
    return rows[0] if rows and isinstance(rows[0], Mapping) else {}
