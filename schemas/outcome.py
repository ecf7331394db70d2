"""The events out: what became of a reimbursement, of a connector, of a sync run."""

from datetime import UTC
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from schemas.fields import ConnectorKind, Identifier


class EventType(StrEnum):
    """Types of events on the outcomes topic."""

    REIMBURSEMENT_SYNCED = "reimbursement.synced.v1"
    REIMBURSEMENT_REJECTED = "reimbursement.rejected.v1"
    REIMBURSEMENT_OUTCOME_UNKNOWN = "reimbursement.outcome_unknown.v1"
    CONNECTOR_CHANGED = "connector.changed.v1"
    SYNC_RUN_FINISHED = "sync_run.finished.v1"


ConnectorPhase: TypeAlias = Literal["on", "switching_off", "off", "suspended"]
RunKind: TypeAlias = Literal["connector_enabled", "schedule", "manual"]
RunResult: TypeAlias = Literal["finished", "stopped"]
ChangedByRole: TypeAlias = Literal["organization_admin", "global_admin", "system"]
"""`system` suspends a connector, and says that one which was switching off is off."""

Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Count = Annotated[int, Field(ge=0)]


class OutcomeContent(BaseModel):
    """Data of an event out. Times are aware and are written in UTC.

    When it happened is the event's own `time`, by PostgreSQL's clock.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    def to_json(self) -> bytes:
        """Compact JSON in UTF-8, all fields, absent ones as null."""
        return self.__pydantic_serializer__.to_json(self)


class Document(OutcomeContent):
    """The ERP's document: its number there and, where the ERP has one, a link for people."""

    number: str
    url: str | None


class ReimbursementSynced(OutcomeContent):
    """The ERP has the reimbursement, as this document."""

    TYPE: ClassVar = EventType.REIMBURSEMENT_SYNCED

    organization_id: Identifier
    reimbursement_id: Identifier
    connector: ConnectorKind
    attempt: Count
    document: Document


class ReimbursementRejected(OutcomeContent):
    """The reimbursement was refused and waits for a person. Without connector: none was set up to ask."""

    TYPE: ClassVar = EventType.REIMBURSEMENT_REJECTED

    organization_id: Identifier
    reimbursement_id: Identifier
    connector: ConnectorKind | None
    attempt: Count
    code: str
    message: str


class ReimbursementOutcomeUnknown(OutcomeContent):
    """The ERP may or may not have it. It is looked up, and never resent blindly."""

    TYPE: ClassVar = EventType.REIMBURSEMENT_OUTCOME_UNKNOWN

    organization_id: Identifier
    reimbursement_id: Identifier
    connector: ConnectorKind
    attempt: Count
    since: Moment


class ChangedBy(OutcomeContent):
    """Who changed a connector: a person, or the worker itself as `system`."""

    id: str
    role: ChangedByRole


class ConnectorChanged(OutcomeContent):
    """A connector's new state. `enabled` is what the admin wants, `phase` is what holds."""

    TYPE: ClassVar = EventType.CONNECTOR_CHANGED

    organization_id: Identifier
    connector: ConnectorKind
    enabled: bool
    phase: ConnectorPhase
    actor: ChangedBy
    reason: str
    changed_at: Moment


class RunCounts(OutcomeContent):
    """What became of a run's items; `remaining` are those it left pending."""

    synced: Count
    rejected: Count
    unknown: Count
    remaining: Count


class SyncRunFinished(OutcomeContent):
    """A run is over: it took everything it was to take, or was stopped, as by switching the connector off."""

    TYPE: ClassVar = EventType.SYNC_RUN_FINISHED

    organization_id: Identifier
    run_id: Identifier
    kind: RunKind
    connector: ConnectorKind
    started_at: Moment
    finished_at: Moment
    result: RunResult
    counts: RunCounts


OutcomeEvent: TypeAlias = (
    ReimbursementSynced | ReimbursementRejected | ReimbursementOutcomeUnknown | ConnectorChanged | SyncRunFinished
)
