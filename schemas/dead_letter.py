"""Why a record can't be accepted: the closed set of reasons, and the exception that carries one."""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """`dl_reason` on the dead-letter topic."""

    NOT_A_CLOUDEVENT = "not_a_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_JSON = "invalid_json"
    INVALID_DATA = "invalid_data"
    CONFLICTING_CONTENT = "conflicting_content"
    TOO_LARGE = "too_large"
    WRONG_TOPIC = "wrong_topic"


class NotAcceptedError(Exception):
    """A record that becomes a dead letter.

    `detail` names fields and rules and never quotes a value, since it is logged and published.
    """

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
