"""`connector test` for Xledger: signs in, and reads what the mapping names and which periods are open. Writes nothing.

Tax rules are object values of the kind `TAX_RULE`, and `objectKinds` lists the kinds (omniboost/go-xledger,
`tax_rules_test.go`). Which kind fills which `glObject` is said nowhere, so dimensions are checked by the names of
kinds.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from connectors.account_mapping import AccountMapping
from connectors.contract import NotSent, Problem, Unavailable
from connectors.mapped_names import mapped_accounts, mapped_claimants, mapped_tax_codes
from connectors.xledger.answered import Row, codes_of, decimal_of, key_of, part_of, rows_of
from connectors.xledger.api import XledgerApi
from connectors.xledger.documents import dimension_slots
from connectors.xledger.periods import Calendar, OpenPeriods
from connectors.xledger.queries import READ_BOOKED, READ_KINDS, READ_NAMES, READ_VALUES

_CODES_A_QUERY = 1000
_TAX_RULE = "TAX_RULE"

Problems = Sequence[Problem] | NotSent | Unavailable
Kinds = Mapping[str, int]
"""The name of a kind of objects → its `dbId`."""


class Readiness:
    """Few requests: one for the periods, one for every thousand accounts and suppliers, one for what is booked, two
    for tax codes and dimensions. Xledger refuses the token in the first. `currency` is what the books are said to be
    kept in."""

    def __init__(self, api: XledgerApi, calendar: Calendar, mapping: AccountMapping, currency: str) -> None:
        self._api = api
        self._calendar = calendar
        self._mapping = mapping
        self._currency = currency

    async def problems(self) -> Problems:
        found: list[Problem] = [*_gaps(self._mapping)]
        for check in (self._periods, self._names, self._booked, self._kinds):
            problems = await check()
            if isinstance(problems, NotSent | Unavailable):
                return problems
            found += problems
        return found

    async def _periods(self) -> Problems:
        periods = await self._calendar.open_periods(within=0)
        if not isinstance(periods, OpenPeriods):
            return periods
        return [*_wrong_periods(periods, self._api.now().date()), *_wrong_company(periods)]

    async def _names(self) -> Problems:
        """Accounts and suppliers travel in the same requests."""
        accounts, suppliers = mapped_accounts(self._mapping), mapped_claimants(self._mapping)
        known_accounts: set[str] = set()
        known_suppliers: set[str] = set()
        for start in range(0, max(len(accounts), len(suppliers)), _CODES_A_QUERY):
            part = slice(start, start + _CODES_A_QUERY)
            data = await self._api.query(READ_NAMES, {"accounts": accounts[part], "suppliers": suppliers[part]})
            if isinstance(data, NotSent | Unavailable):
                return data
            known_accounts |= codes_of(data.get("accounts"))
            known_suppliers |= codes_of(data.get("suppliers"))
        return [
            *_unknown("account", accounts, known_accounts),
            *_unknown("supplier", suppliers, known_suppliers),
        ]

    async def _booked(self) -> Problems:
        """No field of Xledger's says in which currency a company keeps its books; its entries do. Where it has none, or
        does not show them, there is nothing to compare with."""
        data = await self._api.query(READ_BOOKED, {})
        if isinstance(data, Unavailable) or (isinstance(data, NotSent) and data.retry_after is not None):
            return data
        rows = [] if isinstance(data, NotSent) else rows_of(data.get("journalEntries"))
        return [*_wrong_currency(rows, self._currency)]

    async def _kinds(self) -> Problems:
        """Only where the mapping needs them. Nobody but one library's tests shows these queries, so where Xledger does
        not know them that is told, and nothing else is held up by it."""
        tax_codes, dimensions = mapped_tax_codes(self._mapping), _named_kinds(self._mapping)
        if not tax_codes and not dimensions:
            return []
        data = await self._api.query(READ_KINDS, {})
        if isinstance(data, NotSent | Unavailable):
            return _unreadable(data)
        kinds = _kinds_in(data)
        wrong_codes = await self._wrong_tax_codes(tax_codes, kinds)
        if isinstance(wrong_codes, NotSent | Unavailable):
            return wrong_codes
        return [*wrong_codes, *_unknown_kinds(dimensions, kinds)]

    async def _wrong_tax_codes(self, codes: Sequence[str], kinds: Kinds) -> Problems:
        if codes and _TAX_RULE not in kinds:
            return [Problem("tax codes", "Xledger does not show its tax rules to the API token. Check them by hand.")]
        known: set[str] = set()
        for start in range(0, len(codes), _CODES_A_QUERY):
            part = codes[start : start + _CODES_A_QUERY]
            data = await self._api.query(READ_VALUES, {"kind": kinds[_TAX_RULE], "codes": part})
            if isinstance(data, NotSent | Unavailable):
                return _unreadable(data)
            known |= codes_of(data.get("objectValues"))
        return _unknown("tax code", codes, known)


def _gaps(mapping: AccountMapping) -> Iterable[Problem]:
    """What is wrong without asking anybody."""
    if mapping.counter_account is None:
        yield Problem("counter_account", "The mapping needs counter_account: what is owed to the claimant.")
    slots = dimension_slots(mapping)
    for code in dict.fromkeys(mapping.dimensions.values()):
        if code not in slots:
            yield Problem(f"dimension {code}", f"No object of Xledger is left for the dimension {code}: it has five.")


def _wrong_periods(periods: OpenPeriods, today: date) -> Iterable[Problem]:
    if not periods.is_open(today):
        yield Problem("period", f"No period is open for today, {today}. Open it in Xledger.")


def _wrong_company(periods: OpenPeriods) -> Iterable[Problem]:
    if len(periods.owners) > 1:
        named = ", ".join(periods.owners)
        yield Problem("company", f"The API token reaches several companies ({named}). Make one for a single company.")


def _wrong_currency(rows: Sequence[Row], currency: str) -> Iterable[Problem]:
    """Only an entry in the company's own currency has the same amount in both."""
    at_a_rate, as_they_are = (_currencies(rows, differ=differ) for differ in (True, False))
    others = as_they_are - at_a_rate - {currency}
    if currency in at_a_rate:
        told = f"Xledger books {currency} at a rate, so the company keeps its books in another currency."
    elif others and currency not in as_they_are:
        told = f"Xledger books {', '.join(sorted(others))} without a rate, and nothing in {currency}."
    else:
        return
    yield Problem("company_currency", f"{told} Set company_currency to the books' own.")


def _currencies(rows: Sequence[Row], *, differ: bool) -> set[str]:
    amounts = [(row, decimal_of(row.get("amount")), decimal_of(row.get("invoiceAmount"))) for row in rows]
    stated = [(row, own, document) for row, own, document in amounts if own and document]
    return {str(part_of(row.get("currency"), "code")) for row, own, document in stated if (own != document) is differ}


def _unknown(noun: str, codes: Sequence[str], known: set[str]) -> list[Problem]:
    return [Problem(f"{noun} {code}", f"Xledger has no {noun} {code}.") for code in codes if code not in known]


def _unknown_kinds(codes: Sequence[str], kinds: Kinds) -> Iterable[Problem]:
    for code in codes:
        if code not in kinds:
            told = f"Xledger has no kind of objects named {code}. Map to the object it fills: glObject1 to glObject5."
            yield Problem(f"dimension {code}", told)


def _named_kinds(mapping: AccountMapping) -> list[str]:
    """Dimension codes that do not name their object themselves, and have one."""
    return sorted(code for code, slot in dimension_slots(mapping).items() if code != slot)


def _kinds_in(data: Mapping[str, object]) -> dict[str, int]:
    found = {str(row.get("name")): key_of(row.get("dbId")) for row in rows_of(data.get("objectKinds"))}
    return {name: key for name, key in found.items() if key is not None}


def _unreadable(answer: NotSent | Unavailable) -> Problems:
    """A limit that was reached is worth another try; a query that Xledger does not take is not."""
    if isinstance(answer, Unavailable) or answer.retry_after is not None:
        return answer
    told = f"Xledger could not be asked for tax codes and dimensions. {answer.reason} Check them by hand."
    return [Problem("tax codes and dimensions", told)]
