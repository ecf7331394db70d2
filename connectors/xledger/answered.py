"""The parts of a GraphQL answer, whatever their form. Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

Row = Mapping[object, object]


def rows_of(connection: object) -> list[Row]:
    """The nodes of a relay connection; whatever is none is left out."""
    nodes = [edge.get("node") for edge in edges_of(connection)]
    return [node for node in nodes if isinstance(node, Mapping)]


def edges_of(connection: object) -> list[Row]:
    edges = connection.get("edges") if isinstance(connection, Mapping) else None
    return [edge for edge in edges if isinstance(edge, Mapping)] if isinstance(edges, list) else []


def has_more(connection: object) -> bool:
    page = connection.get("pageInfo") if isinstance(connection, Mapping) else None
    return isinstance(page, Mapping) and page.get("hasNextPage") is True


def codes_of(connection: object) -> set[str]:
    return {str(row.get("code")) for row in rows_of(connection)}


def key_of(value: object) -> int | None:
    """A `dbId` as a number. Xledger's type for some of them is `Int64String` (xledger/graphql-samples), and
    omniboost/go-xledger reads that of an import's row as text and others as numbers."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def part_of(row: object, name: str) -> object:
    """A field of a nested object; None where there is no object."""
    return row.get(name) if isinstance(row, Mapping) else None


def decimal_of(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        return None


def day_of(text: object) -> date | None:
    """From a date or a time of Xledger, which are in its own zone and carry no offset."""
    try:
        return datetime.fromisoformat(text).date() if isinstance(text, str) else None
    except ValueError:
        return None
