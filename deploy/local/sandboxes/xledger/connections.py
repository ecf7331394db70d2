"""Relay connections over rows: filter, `first`/`after`, cursors that stay good while rows come and go."""

import operator
from collections.abc import Callable, Mapping, Sequence

from deploy.local.sandboxes.xledger.refusals import RefusedError

MOST_RECORDS = 10_000

Row = Mapping[str, object]
Filter = Mapping[str, object]

_ORDERINGS: Mapping[str, Callable[[str, str], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def connection(rows: Sequence[Row], first: int | None, after: str | None, wanted: Filter | None) -> Row:
    """Rows in the order of their `dbId`, which is the cursor. Raises `RefusedError` for a page above 10,000
    records."""
    size = MOST_RECORDS if first is None else first
    if not 0 <= size <= MOST_RECORDS:
        raise RefusedError(f"Argument 'first' must be between 0 and {MOST_RECORDS}.")
    start = _position(after)
    found = sorted((row for row in rows if holds(wanted or {}, row)), key=_db_id)
    beyond = [row for row in found if _db_id(row) > start]
    return {
        "pageInfo": {"hasNextPage": len(beyond) > size, "hasPreviousPage": len(beyond) < len(found)},
        "edges": [{"cursor": str(_db_id(row)), "node": row} for row in beyond[:size]],
    }


def numbers_in(wanted: Filter | None) -> list[str] | None:
    """The invoice numbers without which no row holds; None where the filter names none."""
    numbers = (wanted or {}).get("invoiceNumber_in")
    return [str(number) for number in numbers] if isinstance(numbers, list) else None


def holds(wanted: Filter, row: Row) -> bool:
    return all(_clause(key, value, row) for key, value in wanted.items())


def _clause(key: str, value: object, row: Row) -> bool:
    match key, value:
        case "AND", list():
            return all(holds(each, row) for each in value)
        case "OR", list():
            return any(holds(each, row) for each in value)
    name, _, suffix = key.partition("_")
    if suffix == "in":
        return isinstance(value, list) and row[name] in value
    if suffix:
        return _ORDERINGS[suffix](str(row[name]), str(value))
    return row[name] == value


def _position(after: str | None) -> int:
    if after is None or after == "":
        return 0
    if not after.isascii() or not after.isdigit():
        raise RefusedError("Argument 'after' is not a cursor.")
    return int(after)


def _db_id(row: Row) -> int:
    value = row["dbId"]
    return value if isinstance(value, int) else 0
