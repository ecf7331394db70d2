"""Items by the million: made by PostgreSQL itself, byte for byte what the intake would have written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.approval import ReimbursementApproved
from tests.events import approval
from worker.store.database import OwnConnection

ORGANIZATION, REIMBURSEMENT = "THE-ORGANIZATION", "THE-REIMBURSEMENT"
A_BATCH = 250_000
MANY = 500_000
"""From so many rows on it is faster to make the indexes afterwards."""
LONGEST_STATEMENT = 900.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """`number` organisations, `org-00007` and so on, from `first` on."""

    first: int
    number: int

    @property
    def names(self) -> list[str]:
        return [f"org-{number:05}" for number in range(self.first, self.first + self.number)]


async def load_pending(connection: OwnConnection, crowd: Crowd, first: int, items: int) -> None:
    """Approvals number `first` and following, of the crowd's organisations in turn, in the order of arrival."""
    content = ReimbursementApproved.model_validate_json(approval(REIMBURSEMENT, ORGANIZATION).value or b"")
    template = (content.canonical().decode(), ORGANIZATION, REIMBURSEMENT)
    for start in range(first, first + items, A_BATCH):
        end = min(start + A_BATCH, first + items)
        await connection.execute(
            _LOAD, *template, crowd.first, crowd.number, start, end, content.approved_at, timeout=LONGEST_STATEMENT
        )


@asynccontextmanager
async def indexes_made_afterwards(connection: OwnConnection, items: int) -> AsyncIterator[None]:
    """Where the rows are many: indexes are dropped, and made again as the catalogue describes them."""
    indexes = await connection.fetch(_INDEXES) if items >= MANY else []
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    yield
    await connection.execute("set maintenance_work_mem = '1GB'")
    for index in indexes:
        await connection.execute(index["definition"], timeout=LONGEST_STATEMENT)


async def settle_down(connection: OwnConnection) -> None:
    """As a table that has lived for a while: what autovacuum and the checkpointer do sooner or later is done."""
    for statement in ("vacuum (analyze) item", "analyze", "checkpoint"):
        await connection.execute(statement, timeout=LONGEST_STATEMENT)


_LOAD = """
insert into item (organization_id, reimbursement_id, approved_at, currency, total_minor, content_hash, content)
select organization_id, reimbursement_id, $8::timestamptz, 'NOK', 25000, sha256(content), content
from (select organization_id, reimbursement_id,
             convert_to(replace(replace($1::text, $2::text, organization_id), $3::text, reimbursement_id), 'UTF8')
             as content
      from (select 'org-' || lpad(($4::integer + n % $5::integer)::text, 5, '0') as organization_id,
                   'R-2026-' || lpad(n::text, 8, '0') as reimbursement_id
            from generate_series($6::integer, $7::integer - 1) n) named) written
"""
_INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
from pg_index where indrelid = 'item'::regclass and not indisprimary
"""
