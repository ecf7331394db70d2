"""The configuration of a file connector: a folder, and how the ledger's cells are kept apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from connectors.configuration import ConnectorSettings, validated


def _absolute(folder: Path) -> Path:
    if not folder.is_absolute() or ".." in folder.parts:
        raise ValueError("not an absolute path")
    return folder


class FileSettings(ConnectorSettings):
    """`folder` must exist already, so that a slip of the pen makes none; `delimiter` is what the reader of the ledger
    expects: `;` where commas are decimal signs.

    `quarantine_seconds` is nothing by default: once nobody writes any more, nothing is written later.
    """

    folder: Annotated[Path, AfterValidator(_absolute)]
    delimiter: Literal[",", ";"] = ","
    quarantine_seconds: int = Field(default=0, ge=0, le=86_400)


def read_settings(settings: Mapping[str, object]) -> FileSettings:
    """Raises `ConfigurationError`."""
    return validated(FileSettings, settings)
