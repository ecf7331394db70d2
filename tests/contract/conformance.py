"""Which claim of the one suite holds for which adapter, as connectors/README.md tells: read off the suite itself.

Where the suite was changed: `python -m tests.contract.conformance` writes the table anew.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SUITE = "tests.contract.test_every_connector"
KINDS = ("xledger", "business_central", "file")
README = Path(__file__).resolve().parents[2] / "connectors" / "README.md"
BEGIN, END = "<!-- the suite's claims -->\n", "<!-- end of the suite's claims -->"


@dataclass(frozen=True, slots=True)
class Claim:
    """`exceptions`: the kinds that it can't be asked of, and why."""

    words: str
    exceptions: Mapping[str, str]

    @property
    def row(self) -> str:
        cells = (f"not applicable: {self.exceptions[kind]}" if kind in self.exceptions else "yes" for kind in KINDS)
        return f"| {' | '.join((self.words, *cells))} |\n"


def exceptions_of(marks: Iterable[pytest.Mark]) -> dict[str, str]:
    return {kind: why for mark in marks if mark.name == "not_applicable" for kind, why in mark.kwargs.items()}


def claims() -> Iterator[Claim]:
    """In the suite's order."""
    for name, test in vars(importlib.import_module(SUITE)).items():
        if name.startswith("test_"):
            yield Claim(_words(name, test), exceptions_of(getattr(test, "pytestmark", ())))


def _words(name: str, test: Callable[..., object]) -> str:
    """What its docstring says, where the name alone does not read well."""
    said = test.__doc__ or re.sub(r"^test_(p\d+_)?", "", name).replace("_", " ")
    words = " ".join(said.split()).removesuffix(".")
    return words[0].upper() + words[1:]


def table() -> str:
    head = f"| claim | {' | '.join(f'`{kind}`' for kind in KINDS)} |\n|{' --- |' * (len(KINDS) + 1)}\n"
    return head + "".join(claim.row for claim in claims())


def told() -> str:
    """The table as it stands in the README."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + begin + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
