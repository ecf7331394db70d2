"""`connector test` for Business Central: signs in, reads the company and whatever the mapping names. Writes nothing."""

from collections.abc import Iterable, Mapping, Sequence

from connectors.account_mapping import AccountMapping
from connectors.business_central.api import CompanyApi
from connectors.business_central.documents import quoted
from connectors.contract import NotSent, Problem, Unavailable
from connectors.mapped_names import mapped_accounts, mapped_claimants

_NUMBERS_A_REQUEST = 20


async def problems(api: CompanyApi, mapping: AccountMapping) -> Sequence[Problem] | NotSent | Unavailable:
    company = await api.read("companyInformation")
    if isinstance(company, NotSent | Unavailable):
        return company
    found: list[Problem] = []
    for path, noun, numbers in _questions(mapping):
        answer = await _unusable(api, path, noun, numbers)
        if isinstance(answer, NotSent | Unavailable):
            return answer
        found += answer
    return found


def _questions(mapping: AccountMapping) -> Iterable[tuple[str, str, Sequence[str]]]:
    yield "accounts", "account", mapped_accounts(mapping)
    yield "vendors", "vendor", mapped_claimants(mapping)
    yield "dimensions", "dimension", sorted(set(mapping.dimensions.values()))


async def _unusable(
    api: CompanyApi, path: str, noun: str, numbers: Sequence[str]
) -> list[Problem] | NotSent | Unavailable:
    key = "code" if path == "dimensions" else "number"
    known: dict[str, Mapping[object, object]] = {}
    for start in range(0, len(numbers), _NUMBERS_A_REQUEST):
        batch = numbers[start : start + _NUMBERS_A_REQUEST]
        rows = await api.rows(path, filter=" or ".join(f"{key} eq {quoted(number)}" for number in batch))
        if isinstance(rows, NotSent | Unavailable):
            return rows
        known |= {str(row.get(key)).upper(): row for row in rows if isinstance(row, Mapping)}
    return [
        Problem(f"{noun} {number}", sentence)
        for number in numbers
        if (sentence := _sentence(noun, number, known.get(number.upper()))) is not None
    ]


def _sentence(noun: str, number: str, row: Mapping[object, object] | None) -> str | None:
    if row is None:
        return f"Business Central has no {noun} {number}."
    # Accounts say true or false; vendors "All", "Payment", or a blank that travels as "_x0020_".
    if row.get("blocked") in {True, "All"}:
        return f"The {noun} {number} is blocked in Business Central."
    return None
