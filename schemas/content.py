"""What every event in has: one canonical text of its content, and a hash to tell duplicate from conflict."""

from hashlib import sha256
from typing import Self

from pydantic import BaseModel, ConfigDict


def canonical_hash(canonical: bytes) -> bytes:
    """SHA-256 of a canonical form, 32 bytes: for who has the form at hand and need not make it again."""
    return sha256(canonical).digest()


class EventContent(BaseModel):
    """Validated data of an event in. Unknown fields are dropped.

    Subclasses declare their fields in alphabetical order, which is the order of the canonical form.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)

    def canonical(self) -> bytes:
        """Compact JSON (UTF-8, sorted keys) of the known fields; equal for every text of the same content."""
        return self.__pydantic_serializer__.to_json(self)

    def content_hash(self) -> bytes:
        """`canonical_hash` of the canonical form."""
        return canonical_hash(self.canonical())

    @classmethod
    def from_canonical(cls, stored: bytes) -> Self:
        """Reads `canonical()` back. Raises pydantic's ValidationError (a ValueError), with values hidden."""
        return cls.model_validate_json(stored)
