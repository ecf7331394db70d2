"""What an identity provider says of a person, read as one of our actors.

Claim `sub` is the actor's ID, `roles` holds `global_admin` or `organization_admin`, `organizations` the caller's own.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from worker.domain.switching import Actor, Role

LONGEST_NAME = 200

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class _Claims(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, strict=True)

    sub: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    roles: list[str] = Field(default_factory=list, max_length=100)
    organizations: list[Identifier] = Field(default_factory=list, max_length=1000)


def actor_of(claims: Mapping[str, object]) -> Actor | None:
    """None for whom the provider gives no role here, or whose claims can't be read. The wider role counts."""
    try:
        read = _Claims.model_validate(claims)
    except ValidationError:
        return None
    if Role.GLOBAL_ADMIN in read.roles:
        return Actor(read.sub, Role.GLOBAL_ADMIN)
    if Role.ORGANIZATION_ADMIN in read.roles:
        return Actor(read.sub, Role.ORGANIZATION_ADMIN, frozenset(read.organizations))
    return None


def display_name(claims: Mapping[str, object]) -> str:
    """For showing alone: people choose their own names, so nothing in it may be invisible or turn the text around."""
    for claim in ("name", "preferred_username", "sub"):
        name = claims.get(claim)
        if isinstance(name, str) and name.strip():
            return "".join(letter for letter in name.strip() if letter.isprintable())[:LONGEST_NAME]
    return ""
