"""When the next scheduled run is due, in the organisation's own time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


class InvalidScheduleError(ValueError):
    """The cron expression or the time zone can't be used; the text says which and how to write it."""


def next_run_after(schedule: str, time_zone: str, after: datetime) -> datetime:
    """The first time after `after` (aware) that the cron expression names, in UTC.

    A time that daylight saving skips runs at the change; a time that it repeats runs once (as Debian's cron does).
    """
    try:
        local = after.astimezone(ZoneInfo(time_zone))
        return next(CronSim(schedule, local)).astimezone(UTC)
    except ZoneInfoNotFoundError:
        raise InvalidScheduleError("The time zone is unknown. Use a name such as Europe/Oslo.") from None
    except (CronSimError, StopIteration):
        raise InvalidScheduleError(
            "The schedule is not a cron expression. Write five fields, such as 0 6 * * *."
        ) from None
