"""What callers send: what they want, and why."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from worker.domain.reasons import LONGEST

SOURCE = "http"
"""Where what they do comes from, as the sync log says it."""
# What `reasons.plain` leaves out, without Unicode's classes, which not every reader of the OpenAPI document knows.
_UNSEEN = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ue000-\uf8ff\ufeff\ufff9-\ufffb"
)
_TEXT = f"[^{_UNSEEN}]"
_INK = rf"[^\s{_UNSEEN}]"


Reason = Annotated[
    str, StringConstraints(pattern=f"^{_TEXT}*{_INK}{_TEXT}*$", max_length=LONGEST), AfterValidator(str.strip)
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
