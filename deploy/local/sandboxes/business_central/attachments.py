"""Files that hang on a purchase invoice, a draft or a posted one: made empty, then filled.

Source: MicrosoftDocs/dynamics365smb-devitpro-pb, api-reference/v2.0/api/dynamics_attachment_create.md and _update.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from deploy.local.sandboxes.business_central.bodies import AttachmentBody
from deploy.local.sandboxes.business_central.odata import Row
from deploy.local.sandboxes.business_central.refusals import not_found


@dataclass(frozen=True, slots=True)
class Attachment:
    """`size` is in bytes; the content itself is not kept."""

    parent_id: str
    parent_type: str
    file_name: str
    size: int = 0
    version: int = 1
    id: str = field(default_factory=lambda: str(uuid4()))
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        return f'W/"{self.id[:8]}{self.version:06d}"'

    def wire(self) -> Row:
        return {
            "@odata.etag": self.etag,
            "id": self.id,
            "parentId": self.parent_id,
            "fileName": self.file_name,
            "byteSize": self.size,
            "lastModifiedDateTime": self.modified_at.isoformat().replace("+00:00", "Z"),
            "parentType": self.parent_type,
        }


class Attachments:
    def __init__(self) -> None:
        self._attachments: dict[str, Attachment] = {}

    def all(self) -> Sequence[Attachment]:
        return tuple(self._attachments.values())

    def one(self, attachment_id: str) -> Attachment:
        """Raises `RefusedError`."""
        found = self._attachments.get(attachment_id.lower())
        if found is None:
            raise not_found("Attachment")
        return found

    def add(self, body: AttachmentBody) -> Attachment:
        return self._keep(Attachment(body.parent_id.lower(), body.parent_type, body.file_name))

    def fill(self, attachment: Attachment, content: bytes) -> Attachment:
        changes = {"size": len(content), "version": attachment.version + 1, "modified_at": datetime.now(UTC)}
        return self._keep(replace(attachment, **changes))  # type: ignore[arg-type]

    def _keep(self, attachment: Attachment) -> Attachment:
        self._attachments[attachment.id] = attachment
        return attachment
