"""Where everything of the sample should end: `expected.json`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deploy.local.sandboxes.client import Erp


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedItem(_Record):
    """`erp`: whose books hold the document; None: nobody's may."""

    organization: str
    reimbursement: str
    amount: str
    state: str
    erp: Erp | None
    way: str


class Expectation(_Record):
    """`dead_letters` by reason, `log` as `actor: change connector state` by organisation, `refusals` the sentences of
    `sync run` by organisation, with `…` for what the clock decides."""

    items: tuple[ExpectedItem, ...]
    duplicates: int
    dead_letters: Mapping[str, int]
    log: Mapping[str, tuple[str, ...]]
    refusals: Mapping[str, str]


def read_expectation(file: Path) -> Expectation:
    """Raises `pydantic.ValidationError` for a file of another shape."""
    return Expectation.model_validate_json(file.read_bytes())
