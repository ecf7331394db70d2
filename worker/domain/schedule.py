"""When the next scheduled run is due, in the organisation's own time zone."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = 5
"""Minute, hour, day, month, weekday; cronsim would take a field of seconds as well."""


class InvalidScheduleError(ValueError):
    """The cron expression or the time zone can't be used; the text says which and how to write it."""


def next_run_after(schedule: str, time_zone: str, after: datetime) -> datetime:
    """The first time after `after` (aware) that the cron expression names, in UTC.

    A time that daylight saving skips runs at the change; a time that it repeats runs once (as Debian's cron does).
    """
    local = after.astimezone(_zone(time_zone))
    if len(schedule.split()) != FIELDS:
        raise _not_cron()
    try:
        # Asked in the hour that daylight saving repeats, cronsim answers times of its first pass, which is over.
        return next(time for time in _in_utc(CronSim(schedule, local)) if time > after)
    except (CronSimError, StopIteration):
        raise _not_cron() from None


def _in_utc(times: Iterable[datetime]) -> Iterator[datetime]:
    return (time.astimezone(UTC) for time in times)


def _not_cron() -> InvalidScheduleError:
    return InvalidScheduleError("The schedule is not a cron expression. Write five fields, such as 0 6 * * *.")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name may also lead to a folder, or out of the database
        raise InvalidScheduleError("The time zone is unknown. Use a name such as Europe/Oslo.") from None
