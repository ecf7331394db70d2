"""`connector.toggled.v1`: an administrator switches an organisation's connector on or off."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StrictBool

from schemas.content import EventContent
from schemas.fields import ConnectorKind, FreeText, Identifier, Instant


class Role(StrEnum):
    """What an actor may be: an organisation's administrator, or one of all organisations."""

    ORGANIZATION_ADMIN = "organization_admin"
    GLOBAL_ADMIN = "global_admin"


class Actor(EventContent):
    """Who switched. An organisation admin without an organisation has no right anywhere, which is for the
    toggle service to say."""

    id: Identifier
    organization_id: Identifier | None = None
    role: Annotated[Role, Field(strict=False)]


class ConnectorToggled(EventContent):
    """Content of one toggle."""

    TYPE: ClassVar = "connector.toggled.v1"

    actor: Actor
    connector: ConnectorKind
    enabled: StrictBool
    occurred_at: Instant
    organization_id: Identifier
    reason: Annotated[FreeText, Field(description="Required. A blank one is refused and logged, not dead.")]
    revision: Annotated[
        int | None,
        Field(ge=0, le=2**63 - 1, description="One at or below the last applied is logged as superseded."),
    ] = None
