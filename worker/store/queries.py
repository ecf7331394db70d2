"""Loads named SQL statements: `-- name: purpose` on a line of its own starts each.

`-- piece name: purpose` starts what several of them share: `{name}` stands for it there.
"""

import re
from collections.abc import Mapping
from functools import cache, partial
from importlib.resources import files

_HEADER = re.compile(r"^-- (?P<piece>piece )?(?P<name>[a-z_]+): \S.*$", re.MULTILINE)
_PLACE = re.compile(r"\{(?P<name>[a-z_]+)\}")


@cache
def load(family: str) -> Mapping[str, str]:
    """The statements of `sql/<family>.sql` by name. Raises ValueError for a name that is given twice."""
    text = files("worker.store").joinpath("sql", f"{family}.sql").read_text(encoding="utf-8")
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    texts = {h["name"]: text[h.end() : end].strip() for h, end in zip(headers, ends, strict=True)}
    if len(texts) != len(headers):
        raise ValueError(f"sql/{family}.sql names a statement twice")
    pieces = {h["name"]: texts.pop(h["name"]) for h in headers if h["piece"]}
    return {name: _PLACE.sub(partial(_piece, pieces), statement) for name, statement in texts.items()}


def _piece(pieces: Mapping[str, str], place: re.Match[str]) -> str:
    """Any other place is for whoever executes the statement."""
    return pieces.get(place["name"], place[0])
