"""Why nothing moves: what a test says of the database when its patience is at an end."""

import asyncio
from collections.abc import Sequence

import asyncpg

SECONDS_TO_TELL = 5.0
_SESSIONS = """
select pid, state, wait_event, now() - xact_start as since, pg_blocking_pids(pid) as waits_for,
       left(query, 120) as statement
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
order by xact_start
"""
_CONNECTORS = """
select c.organization_id, c.kind, c.enabled, c.quiesced_at, c.suspended_reason, l.leased_by is not null as has_holder,
       l.leased_until > now() as is_leased, i.states, e.change as newest_change
from connector c
left join lane l using (organization_id)
left join lateral (
    select json_object_agg(state, number) as states
    from (select state, count(*) as number from item where organization_id = c.organization_id group by 1) s) i on true
left join lateral (
    select change from sync_log where organization_id = c.organization_id order by entry_no desc limit 1) e on true
order by 1, 2
limit 20
"""


async def what_stands_still(connection: asyncpg.Connection) -> str:
    """Who is in a transaction and waits for whom, and how the connectors are. Raises nothing: it explains an error."""
    try:
        async with asyncio.timeout(SECONDS_TO_TELL):
            sessions, connectors = await connection.fetch(_SESSIONS), await connection.fetch(_CONNECTORS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:  # TimeoutError is an OSError
        return f"The database does not say what stands still: {error!r}"
    return "\n".join(["Sessions that are not idle:", *_lines(sessions), "Connectors:", *_lines(connectors)])


def _lines(rows: Sequence[asyncpg.Record]) -> list[str]:
    return [", ".join(f"{name} {' '.join(str(value).split())}" for name, value in row.items()) for row in rows]
