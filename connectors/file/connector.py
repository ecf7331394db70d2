"""One organisation's folder of documents. A document that is there is posted; there is nothing else to ask."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from connectors.contract import (
    Absent,
    Attempted,
    Document,
    Finding,
    Found,
    Limits,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Problem,
    Unavailable,
    Unknown,
)
from connectors.file.documents import StoredDocument, document_name, document_of
from connectors.file.folder import Folder
from connectors.file.settings import FileSettings

_ONE_WRITER = 1


class FileConnector:
    """Files have no periods that could be closed: every posting is booked on its day."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._folder = Folder(settings.folder, settings.delimiter)
        self._turn = asyncio.Lock()

    @property
    def limits(self) -> Limits:
        """A second document under a reference is refused by the file system, whenever it comes."""
        life = timedelta(seconds=self._settings.quarantine_seconds)
        return Limits(_ONE_WRITER, life, refuses_duplicates=True)

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        async with self._turn:
            return await asyncio.to_thread(self._post, posting, permit)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        async with self._turn:
            return await asyncio.to_thread(self._look_up, [one.reference for one in attempts])

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        faults = await asyncio.to_thread(lambda: list(self._folder.faults()))
        return [Problem(f"folder {subject}", sentence) for subject, sentence in faults]

    async def close(self) -> None:
        """Nothing stays open."""

    def _post(self, posting: Posting, permit: Permit) -> PostOutcome:
        for _, sentence in self._folder.faults():
            return Unavailable(sentence)
        try:
            draft = self._folder.draft(document_of(posting))
        except OSError as error:
            return NotSent(f"The document could not be written ({_kind(error)}).")
        try:
            if not permit.is_valid():
                return NotSent("The permit to send ended before the document was put in its place.")
            is_new = self._folder.publish(draft, posting.reference)
            return self._settled(posting, is_new=is_new)
        except OSError as error:
            return Unknown(f"The document may be in its place or not ({_kind(error)}).")
        finally:
            self._folder.discard(draft)

    def _settled(self, posting: Posting, *, is_new: bool) -> PostOutcome:
        """What is there under the reference is the outcome, whoever put it there."""
        stored = self._folder.document(posting.reference)
        if stored is None:
            return Unknown("The document was taken out of the folder at once.")
        document = _document(posting.reference)
        if not is_new and not stored.agrees(posting):
            return Unknown(_conflict(stored, posting), conflict=document)
        self._folder.list_in_ledger(posting.reference)
        return Posted(document)

    def _look_up(self, references: Sequence[str]) -> Mapping[str, Finding] | NotSent:
        try:
            return {reference: self._finding(reference) for reference in references}
        except OSError as error:
            return NotSent(f"The folder could not be read ({_kind(error)}).")

    def _finding(self, reference: str) -> Finding:
        """A document that a crash left without its row gets it, since it counts as posted from here on."""
        stored = self._folder.document(reference)
        if stored is None:
            return Absent()
        self._folder.list_in_ledger(reference)
        return Found(_document(reference), stored.total, stored.currency)


def _document(reference: str) -> Document:
    return Document(number=reference, erp_id=document_name(reference))


def _conflict(stored: StoredDocument, posting: Posting) -> str:
    return (
        f"The folder holds a document over {stored.total} {stored.currency} under this reference, but "
        f"{posting.total} {posting.currency} was approved. Compare the two; then take the wrong document out of the "
        "folder and retry, or mark the reimbursement as handled elsewhere."
    )


def _kind(error: OSError) -> str:
    """Never its text, which quotes paths and with them references."""
    return type(error).__name__
