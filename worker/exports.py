"""A sync log as a file for spreadsheets, which is itself on record."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from worker import insights
from worker.domain.switching import Actor
from worker.store import sync_log
from worker.store.database import Pool, transaction
from worker.store.sync_log import Change, LogFilter
from worker.views import LogEntryView

COLUMNS = (
    "entry",
    "at",
    "actor",
    "actor_role",
    "source",
    "organization_id",
    "connector",
    "change",
    "new_state",
    "reason",
    "detail",
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Excel reads a file without it in the code page of the machine, and spoils every letter beyond ASCII."""

_FORMULA = re.compile(r"""(^|[\t\r\n;,|])(?=["' ]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])""")
"""Where a spreadsheet may take a text for a formula: at its beginning, and, since a machine may split at another
separator than the file's, after whatever may separate (OWASP, CSV Injection)."""


@dataclass(frozen=True, slots=True)
class Export:
    """`content` comes in pieces; the first has the header."""

    count: int
    content: AsyncIterator[bytes]


async def sync_log_csv(
    pool: Pool, organization_id: str, where: LogFilter, *, actor: Actor, source: str, delimiter: str = ","
) -> Export:
    """UTF-8 with a byte order mark, lines that end as RFC 4180 has it, newest first, times in UTC. It is in the log
    before the first byte leaves, with the filter and the number of entries; that entry is not in the file."""
    async with transaction(pool) as connection:
        count, below = await sync_log.counted(connection, organization_id, where)
        detail = {"filter": _told(where), "count": count}
        change = Change(actor.id, actor.role, source, "sync_log_exported", detail=detail)
        await sync_log.append(connection, organization_id, change)
    return Export(count, _content(insights.log_rows(pool, organization_id, where, below), delimiter))


async def _content(pages: AsyncIterator[Sequence[LogEntryView]], delimiter: str) -> AsyncIterator[bytes]:
    yield BYTE_ORDER_MARK + _lines([COLUMNS], delimiter)
    async for page in pages:
        yield _lines([_cells(entry) for entry in page], delimiter)


def _lines(rows: Sequence[Sequence[str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(entry: LogEntryView) -> list[str]:
    fields = entry.model_dump(mode="json") | {"detail": json.dumps(entry.detail, ensure_ascii=False)}
    return [harmless("" if fields[name] is None else str(fields[name])) for name in COLUMNS]


def harmless(text: str) -> str:
    """With an apostrophe before whatever a spreadsheet would take for a formula."""
    return _FORMULA.sub(r"\1'", text)


def _told(where: LogFilter) -> dict[str, object]:
    changes, actor, since, until = where.conditions
    times = {"since": since and since.isoformat(), "until": until and until.isoformat()}
    return {name: fact for name, fact in ({"changes": changes, "actor": actor} | times).items() if fact is not None}
