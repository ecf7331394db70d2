"""The folder that takes the place of an ERP: `documents/REFERENCE.json`, and `ledger.csv` with a row for each.

A document comes to be by one atomic link that fails where it is there already, so it is written once, whoever tries
and however often. The ledger follows from the documents: what a crash left without its row gets it from whoever comes
next. Writers take turns by a lock on `.lock`.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from connectors.file.documents import (
    COLUMNS,
    StoredDocument,
    document_name,
    is_document,
    read_document,
    references_in,
    row_of,
)

DOCUMENTS = "documents"
LEDGER = "ledger.csv"
LOCK = ".lock"
_DRAFT_PREFIX = ".draft-"


class Folder:
    """Calls block; every OSError is the caller's to judge."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self._documents = path / DOCUMENTS
        self._ledger = path / LEDGER
        self._lock = path / LOCK
        self._path = path
        self._delimiter = delimiter
        self._listed: set[str] = set()
        self._read_through = 0

    def draft(self, content: bytes) -> Path:
        """A file with the content, safely on disk, that nobody takes for a document yet."""
        self._documents.mkdir(exist_ok=True)
        draft = self._documents / f"{_DRAFT_PREFIX}{uuid4().hex}"
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return draft

    def publish(self, draft: Path, reference: str) -> bool:
        """Makes the draft the document of that reference, at once and for good. False: there is one already."""
        try:
            os.link(draft, self._documents / document_name(reference))
        except FileExistsError:
            return False
        _sync_folder(self._documents)
        return True

    def discard(self, draft: Path) -> None:
        with suppress(OSError):  # a draft that stays is taken for nothing
            draft.unlink()

    def document(self, reference: str) -> StoredDocument | None:
        """None where there is none. Raises OSError also for one that is not ours: a person has to look."""
        try:
            content = (self._documents / document_name(reference)).read_bytes()
        except FileNotFoundError:
            return None
        found = read_document(content)
        if found is None:
            raise OSError("a document is not readable")
        return found

    def list_in_ledger(self, reference: str) -> None:
        """The row of a document, once; with the rows that a crash left out, when the ledger is first looked at."""
        with self._turn():
            is_first = self._read_through == 0
            self._catch_up()
            wanted = self._unlisted() if is_first else [reference]
            for one in wanted:
                stored = None if one in self._listed else self.document(one)
                if stored is not None:
                    self._append(row_of(stored.cells, self._delimiter))
                    self._listed.add(one)

    def faults(self) -> Iterator[tuple[str, str]]:
        """What stands in the way of writing here: which path, and a sentence."""
        if not self._path.is_dir():
            yield str(self._path), f"There is no folder {self._path}. Make it, or configure another."
            return
        for place in (self._path, self._documents, self._ledger):
            if place.exists() and not os.access(place, os.W_OK):
                yield str(place), f"The worker may not write to {place}. Give it the right to."

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Of all who write into this folder, in this process and in others."""
        with self._lock.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _catch_up(self) -> None:
        """Reads the rows that others have appended; half a row that a crash left is cut off."""
        with self._ledger.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size < self._read_through:  # somebody put another ledger there
                self._listed, self._read_through = set(), 0
            file.seek(self._read_through)
            rows = file.read()
            whole = rows[: rows.rfind(b"\n") + 1]
            if len(whole) < len(rows):
                file.truncate(self._read_through + len(whole))
        self._listed |= references_in(whole, self._delimiter)
        self._read_through += len(whole)
        if self._read_through == 0:
            self._append(row_of(COLUMNS, self._delimiter))

    def _append(self, row: bytes) -> None:
        with self._ledger.open("ab") as file:
            file.write(row)
            file.flush()
            os.fsync(file.fileno())
        self._read_through += len(row)

    def _unlisted(self) -> list[str]:
        """References of all documents that have no row, oldest first."""
        found = [entry for entry in os.scandir(self._documents) if _is_whole(entry)]
        found.sort(key=lambda entry: entry.stat().st_mtime_ns)
        listed = {document_name(reference) for reference in self._listed}
        stored = (read_document(Path(entry.path).read_bytes()) for entry in found if entry.name not in listed)
        return [one.reference for one in stored if one is not None]


def _is_whole(entry: "os.DirEntry[str]") -> bool:
    return is_document(entry.name) and not entry.name.startswith(_DRAFT_PREFIX)


def _sync_folder(folder: Path) -> None:
    """A new name is on disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
