"""When a scheduled run is due, most of all where the clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.schedule import InvalidScheduleError, next_run_after

OSLO = "Europe/Oslo"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXPRESSIONS = ["30 2 * * *", "0,30 2 * * *", "0 3 * * *", "*/15 * * * *", "15 * * * *", "0 6 * * 1-5", "0 2-3 * * *"]


def _runs(schedule: str, begin: datetime, end: datetime, time_zone: str = OSLO) -> list[str]:
    found = []
    after = begin
    while (after := next_run_after(schedule, time_zone, after)) < end:
        found.append(f"{after:%d %H:%M}")
    return found


def test_six_in_oslo_is_five_in_winter_and_four_in_summer() -> None:
    assert next_run_after("0 6 * * *", OSLO, datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert next_run_after("0 6 * * *", OSLO, datetime(2026, 7, 1, tzinfo=UTC)) == datetime(2026, 7, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_zone", "hour"),
    [("UTC", 6), ("America/New_York", 10), ("Asia/Kathmandu", 0), ("Pacific/Kiritimati", 16)],
)
def test_the_schedule_is_read_in_the_organisations_own_time_zone(time_zone: str, hour: int) -> None:
    due = next_run_after("0 6 * * *", time_zone, NOON)
    assert due.hour == hour
    assert due.tzinfo is UTC


def test_a_time_that_daylight_saving_skips_runs_once_at_the_change() -> None:
    """On 29 March 2026 there is no 02:30 in Oslo: at 01:00 UTC it becomes 03:00."""
    begin = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert _runs("30 2 * * *", begin, begin + timedelta(days=2)) == ["29 01:00", "30 00:30"]


def test_a_time_that_daylight_saving_repeats_runs_once() -> None:
    """On 25 October 2026 it is 02:30 in Oslo at 00:30 and at 01:30 UTC."""
    begin = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert _runs("30 2 * * *", begin, begin + timedelta(days=2)) == ["25 00:30", "26 01:30"]


def test_a_run_caught_up_in_the_repeated_hour_is_not_due_again_that_day() -> None:
    second_pass = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert next_run_after("30 2 * * *", OSLO, second_pass) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_every_quarter_of_an_hour_goes_on_through_both_changes() -> None:
    for change in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        assert len(_runs("*/15 * * * *", change, change + timedelta(hours=4))) == 15


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from([datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]),
    st.timedeltas(timedelta(hours=-3), timedelta(hours=5)),
)
def test_the_next_run_lies_in_the_future_also_where_the_clocks_change(
    schedule: str, change: datetime, offset: timedelta
) -> None:
    """One in the past would be due for ever, and the scheduler would start runs without end."""
    now = change + offset
    assert now < next_run_after(schedule, OSLO, now) <= now + timedelta(days=3)


@given(st.sampled_from(EXPRESSIONS), st.timedeltas(timedelta(), timedelta(days=7000)))
def test_a_later_look_never_finds_an_earlier_run(schedule: str, later: timedelta) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC) + later
    due = next_run_after(schedule, OSLO, now)
    assert next_run_after(schedule, OSLO, due - timedelta(seconds=1)) == due
    assert next_run_after(schedule, OSLO, due) > due


@pytest.mark.parametrize(
    "schedule",
    ["", " ", "x", "* * * *", "* * * * * *", "60 0 * * *", "0 6 * * 8", "*/0 * * * *", "0 0 30 2 *", "0 0 31 2,4 *",
     "@daily", "٣ 6 * * *", "1-0 * * * *", "\x00 1 * * *"],
)  # fmt: skip
def test_what_is_no_cron_expression_of_five_fields_is_refused_with_an_example(schedule: str) -> None:
    with pytest.raises(InvalidScheduleError, match=r"^The schedule is not a cron expression\. Write five fields"):
        next_run_after(schedule, OSLO, NOON)


@pytest.mark.parametrize(
    "time_zone", ["", "Nowhere", "Europe", "Europe/Oslo ", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 300, "ø"]
)
def test_a_time_zone_that_does_not_exist_is_refused_with_an_example(time_zone: str) -> None:
    with pytest.raises(InvalidScheduleError, match=r"^The time zone is unknown\. Use a name such as Europe/Oslo\.$"):
        next_run_after("0 6 * * *", time_zone, NOON)


@given(st.text(alphabet="0123456789*/,-L#W @MONJAN", max_size=16), st.text(max_size=12))
def test_no_expression_and_no_zone_fails_in_any_other_way(schedule: str, time_zone: str) -> None:
    for zone in (OSLO, time_zone):
        try:
            assert next_run_after(schedule, zone, NOON) > NOON
        except InvalidScheduleError as error:
            assert str(error).endswith(".")  # noqa: PT017  # a valid one is as good
