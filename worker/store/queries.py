"""Loads named SQL statements: `-- name: purpose` on a line of its own starts each."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_HEADER = re.compile(r"^-- (?P<name>[a-z_]+): \S.*$", re.MULTILINE)


@cache
def load(family: str) -> Mapping[str, str]:
    """The statements of `sql/<family>.sql` by name. Raises ValueError for a name that is given twice."""
    text = files("worker.store").joinpath("sql", f"{family}.sql").read_text(encoding="utf-8")
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    statements = {h["name"]: text[h.end() : end].strip() for h, end in zip(headers, ends, strict=True)}
    if len(statements) != len(headers):
        raise ValueError(f"sql/{family}.sql names a statement twice")
    return statements
