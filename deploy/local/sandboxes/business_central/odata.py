"""The little of OData that adapters use: `$filter` of `field eq 'text'` (or a GUID) with `and`/`or`, `$select`, `$top`,
`$skip`, `$expand` to any depth, and pages.

Anything else is refused, as a typing error in an option would be.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.local.sandboxes.business_central.refusals import RefusedError

Row = Mapping[str, object]

_OPTIONS = frozenset(
    {"$filter", "$select", "$top", "$skip", "$expand", "$count", "$schemaversion", "$skiptoken", "tenant"}
)
_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_COMPARISON = re.compile(
    rf"\s*(?P<field>[A-Za-z][A-Za-z0-9]*)\s+eq\s+(?:'(?P<text>(?:[^']|'')*)'|(?P<guid>{_GUID}))\s*"
)
_NAME = re.compile(r"\s*(?P<name>[A-Za-z][A-Za-z0-9]*)\s*")
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

    def kept(self, rows: Sequence[Row]) -> list[Row]:
        """A list of texts for one field, which may be long, is compared as a set."""
        if self.groups and all(len(group) == 1 for group in self.groups):
            field, texts = self.groups[0][0].field, {group[0].text.casefold() for group in self.groups}
            return [row for row in rows if str(row[field]).casefold() in texts]
        return [row for row in rows if self._holds(row)]

    def _holds(self, row: Row) -> bool:
        return not self.groups or any(all(each.holds(row) for each in group) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Expansion:
    """What to unfold, and what to unfold inside it: `lines($expand=dimensions)`."""

    within: Mapping[str, "Expansion"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """`skip` counts what the page before has shown too."""

    filter: Filter
    select: tuple[str, ...]
    expand: Expansion
    top: int | None
    skip: int


Expanded = Callable[[Row, Expansion], Row]


def read_query(options: Mapping[str, str]) -> Query:
    """Raises `RefusedError` for an option or a filter that isn't understood."""
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise RefusedError(f"The query parameter '{unknown[0]}' is not supported.", code="BadRequest_InvalidRequestUrl")
    return Query(
        filter=read_filter(options.get("$filter", "")),
        select=_names(options.get("$select", "")),
        expand=read_expand(options.get("$expand", "")),
        top=_count(options, "$top"),
        skip=(_count(options, "$skip") or 0) + (_count(options, "$skiptoken") or 0),
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
        groups[-1].append(Comparison(match["field"], match["guid"] or match["text"].replace("''", "'")))
        position = match.end()
        if position == len(text):
            return _checked(Filter(tuple(tuple(group) for group in groups)))
        position = _next(text, position, groups)


def _checked(read: Filter) -> Filter:
    """Source: MicrosoftDocs/dynamics365smb-devitpro-pb, webservices/odata-known-limitations.md."""
    if len(read.groups) > 1 and len({each.field for group in read.groups for each in group}) > 1:
        raise RefusedError("The 'OR' operator is not supported on distinct fields on an OData filter.")
    return read


def read_expand(text: str) -> Expansion:
    """Raises `RefusedError`."""
    expansion, rest = _expansion(text, 0) if text.strip() else (Expansion(), len(text))
    if rest != len(text):
        raise _unreadable(rest, text)
    return expansion


def _expansion(text: str, position: int) -> tuple[Expansion, int]:
    within: dict[str, Expansion] = {}
    while True:
        match = _NAME.match(text, position)
        if match is None:
            raise _unreadable(position, text)
        position = match.end()
        inner = Expansion()
        if text.startswith("($expand=", position):
            inner, position = _expansion(text, position + len("($expand="))
            if not text.startswith(")", position):
                raise _unreadable(position, text)
            position += 1
        within[match["name"]] = inner
        if not text.startswith(",", position):
            return Expansion(within), position
        position += 1


def _next(text: str, position: int, groups: list[list[Comparison]]) -> int:
    connective = _CONNECTIVE.match(text, position)
    if connective is None:
        raise _unreadable(position, text)
    if connective[0] == "or":
        groups.append([])
    return connective.end()


def _unreadable(position: int, text: str) -> RefusedError:
    return RefusedError(f"Syntax error at position {position} in '{text}'.", code="BadRequest_NotFound")


@dataclass(frozen=True, slots=True)
class Page:
    """`next_skip` is where the next page begins, None on the last one."""

    rows: Sequence[Row]
    next_skip: int | None


def page_of(query: Query, rows: Sequence[Row], expanded: Expanded, size: int) -> Page:
    """Raises `RefusedError` where the filter or `$select` names a property the rows don't have."""
    if rows:
        _check_names(query, rows[0])
    found = query.filter.kept(rows)[query.skip :][: query.top]
    more = query.skip + size if len(found) > size else None
    return Page([shaped(query, row, expanded) for row in found[:size]], more)


def shaped(query: Query, row: Row, expanded: Expanded) -> Row:
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
