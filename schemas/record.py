"""One Kafka record in: the whole way from bytes to validated content, or the reason why not."""

from typing import Final, Literal, NamedTuple, TypeAlias

from pydantic import ValidationError

from schemas.approval import AcceptedApproval, ReimbursementApproved, accept_approval
from schemas.cloudevent import Headers, OpenedEvent, open_event
from schemas.dead_letter import DeadLetterReason, NotAcceptedError
from schemas.toggle import ConnectorToggled

Topic: TypeAlias = Literal["approvals", "toggles"]

_TOPIC_OF_TYPE: Final[dict[str, Topic]] = {
    ReimbursementApproved.TYPE: "approvals",
    ConnectorToggled.TYPE: "toggles",
}
_MAX_ERRORS_TOLD: Final = 3


class ToggleRecord(NamedTuple):
    """A toggle and the identity of its event, by which one that comes again is known."""

    event_source: str
    event_id: str
    toggle: ConnectorToggled


def read_record(
    topic: Topic, key: bytes | None, value: bytes | None, headers: Headers
) -> AcceptedApproval | ToggleRecord:
    """The content of a record. Raises NotAcceptedError, and nothing else whatever the bytes."""
    event = open_event(value, headers)
    _refuse_foreign_type(topic, event.type)
    try:
        if topic == "approvals":
            return _approval(key, event)
        return _toggle(key, event)
    except ValidationError as error:
        raise _invalid_data(_detail(error)) from None


def _approval(key: bytes | None, event: OpenedEvent) -> AcceptedApproval:
    approval = accept_approval(event.data)
    _refuse_foreign_key(key, approval.organization_id)
    return approval


def _toggle(key: bytes | None, event: OpenedEvent) -> ToggleRecord:
    toggle = ConnectorToggled.model_validate(event.data)
    _refuse_foreign_key(key, toggle.organization_id)
    return ToggleRecord(event.source, event.id, toggle)


def _refuse_foreign_type(topic: Topic, event_type: str) -> None:
    home = _TOPIC_OF_TYPE.get(event_type)
    if home is None:
        raise NotAcceptedError(DeadLetterReason.UNKNOWN_TYPE, "no event of this type and version is known")
    if home != topic:
        raise NotAcceptedError(DeadLetterReason.WRONG_TOPIC, f"events of this type belong on the {home} topic")


def _refuse_foreign_key(key: bytes | None, organization_id: str) -> None:
    if key is None:
        raise _invalid_data("key: missing, should equal organization_id")
    if key != organization_id.encode():
        raise _invalid_data("key: should equal organization_id")


def _detail(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{_place(told['loc'])}: {told['msg']}" for told in errors[:_MAX_ERRORS_TOLD]]
    untold = len(errors) - len(told)
    return "; ".join([*told, f"and {untold} more"] if untold else told)


def _place(location: tuple[int | str, ...]) -> str:
    """The path of a field. It ends at `dimensions`, since what follows there is the sender's own words."""
    end = location.index("dimensions") + 1 if "dimensions" in location else len(location)
    return ".".join(map(str, location[:end])) or "data"


def _invalid_data(detail: str) -> NotAcceptedError:
    return NotAcceptedError(DeadLetterReason.INVALID_DATA, detail)
