"""The little of OData that adapters use: `$filter` of `field eq 'text'` with `and`/`or`, `$select`, `$top`,
`$skip`, `$expand`.

Anything else is refused, as a typing error in an option would be.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.local.sandboxes.business_central.refusals import RefusedError

Row = Mapping[str, object]

_OPTIONS = frozenset({"$filter", "$select", "$top", "$skip", "$expand", "$count", "$schemaversion", "tenant"})
_COMPARISON = re.compile(r"\s*(?P<field>[A-Za-z][A-Za-z0-9]*)\s+eq\s+'(?P<text>(?:[^']|'')*)'\s*")
_CONNECTIVE = re.compile(r"(and|or)(?=\s)")


@dataclass(frozen=True, slots=True)
class Comparison:
    field: str
    text: str

    def holds(self, row: Row) -> bool:
        """Business Central compares codes without regard to case."""
        return str(row[self.field]).casefold() == self.text.casefold()


@dataclass(frozen=True, slots=True)
class Filter:
    """Any of the groups, all of a group's comparisons: `and` binds closer than `or`."""

    groups: tuple[tuple[Comparison, ...], ...] = ()

    def texts_of(self, field: str) -> tuple[str, ...]:
        return tuple(each.text for group in self.groups for each in group if each.field == field)

    def only_of(self, field: str) -> tuple[str, ...]:
        """The texts without one of which no row holds; none where the filter does not always name the field."""
        is_named = all(any(each.field == field for each in group) for group in self.groups)
        return self.texts_of(field) if is_named else ()

    def holds(self, row: Row) -> bool:
        return not self.groups or any(all(each.holds(row) for each in group) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Query:
    filter: Filter
    select: tuple[str, ...]
    expand: tuple[str, ...]
    top: int | None
    skip: int


def read_query(options: Mapping[str, str]) -> Query:
    """Raises `RefusedError` for an option or a filter that isn't understood."""
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise RefusedError(f"The query parameter '{unknown[0]}' is not supported.", code="BadRequest_InvalidRequestUrl")
    return Query(
        filter=read_filter(options.get("$filter", "")),
        select=_names(options.get("$select", "")),
        expand=_names(options.get("$expand", "")),
        top=_count(options, "$top"),
        skip=_count(options, "$skip") or 0,
    )


def read_filter(text: str) -> Filter:
    """An empty text holds for every row. Raises `RefusedError`."""
    if not text.strip():
        return Filter()
    groups: list[list[Comparison]] = [[]]
    position = 0
    while True:
        match = _COMPARISON.match(text, position)
        if match is None:
            raise _unreadable(position, text)
        groups[-1].append(Comparison(match["field"], match["text"].replace("''", "'")))
        position = match.end()
        if position == len(text):
            return Filter(tuple(tuple(group) for group in groups))
        position = _next(text, position, groups)


def _next(text: str, position: int, groups: list[list[Comparison]]) -> int:
    connective = _CONNECTIVE.match(text, position)
    if connective is None:
        raise _unreadable(position, text)
    if connective[0] == "or":
        groups.append([])
    return connective.end()


def _unreadable(position: int, text: str) -> RefusedError:
    return RefusedError(f"Syntax error at position {position} in '{text}'.", code="BadRequest_NotFound")


def rows_for(query: Query, rows: Sequence[Row], expanded: Callable[[Row, Sequence[str]], Row]) -> list[Row]:
    """Raises `RefusedError` where the filter or `$select` names a property the rows don't have."""
    if rows:
        _check_names(query, rows[0])
    found = [row for row in rows if query.filter.holds(row)][query.skip :]
    return [shaped(query, row, expanded) for row in found[: query.top]]


def shaped(query: Query, row: Row, expanded: Callable[[Row, Sequence[str]], Row]) -> Row:
    kept = {name: row[name] for name in row if not query.select or name in query.select or name.startswith("@")}
    return {**kept, **expanded(row, query.expand)}


def _check_names(query: Query, row: Row) -> None:
    named = [each.field for group in query.filter.groups for each in group] + list(query.select)
    for name in named:
        if name not in row:
            raise RefusedError(f"Could not find a property named '{name}' on this type.")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _count(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise RefusedError(
            f"Invalid value '{text}' for {name} query option found.", code="BadRequest_InvalidRequestUrl"
        )
    return int(text)
