"""Sessions of other workers at this database."""

from datetime import timedelta

from worker.store.database import APPLICATION, Connection
from worker.store.queries import load

_SQL = load("backends")


async def end_silent(connection: Connection, patience: timedelta) -> list[int]:
    """Ends those that have waited for their process in the middle of a statement for longer; answers their pids."""
    rows = await connection.fetch(_SQL["end_silent"], APPLICATION, patience)
    return [row["pid"] for row in rows]
