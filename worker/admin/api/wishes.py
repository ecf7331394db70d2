"""What callers send: what they want, and why."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

SOURCE = "http"
"""Where what they do comes from, as the sync log says it."""
LONGEST_REASON = 500
_TEXT = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_INK = r"[^\s\x00-\x1f\x7f]"

Reason = Annotated[
    str,
    StringConstraints(pattern=f"^{_TEXT}*{_INK}{_TEXT}*$", max_length=LONGEST_REASON),
    AfterValidator(str.strip),
]
"""Something to read, without control characters: PostgreSQL keeps no NUL, and terminals obey some of the others."""
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Wish(BaseModel):
    """A mistyped field is told rather than left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Decision(Wish):
    """Why a person decides so about an item."""

    reason: Reason


class SwitchWish(Wish):
    """`connector` says which, where the organisation has several; `unchecked` enables the first time without the check
    at the ERP, which the sync log then says."""

    enabled: bool
    reason: Reason
    connector: Kind | None = None
    unchecked: bool = False
