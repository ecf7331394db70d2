"""What the benchmarks write down can be read by everybody, with eyes or without."""

from xml.etree import ElementTree  # what is parsed is made here

import pytest

from tests.benchmarks.report import page, picture
from tests.benchmarks.results import Chart, Section, Table, at_least, at_most, percentile
from tests.benchmarks.rounds import interleaved

CHART = Chart("intake", "Stored <approvals>", "records/s", [("raw & bulk", 92_000.0), ("worker", 40_000.0)])
SVG = "{http://www.w3.org/2000/svg}"


def test_a_picture_says_in_words_what_its_bars_show() -> None:
    drawn = ElementTree.fromstring(picture(CHART))  # noqa: S314  # our own text
    assert drawn.attrib["role"] == "img"
    assert drawn.findtext(f"{SVG}desc") == "Stored <approvals> in records/s: raw & bulk 92,000, worker 40,000."


def test_a_longer_bar_is_a_larger_value_and_every_bar_has_its_value_beside_it() -> None:
    drawn = ElementTree.fromstring(picture(CHART))  # noqa: S314  # our own text
    raw, worker = (float(bar.attrib["width"]) for bar in drawn.findall(f"{SVG}rect")[1:])
    assert worker / raw == pytest.approx(40 / 92, abs=0.01)
    assert {"92,000", "40,000"} <= {text.text for text in drawn.findall(f"{SVG}text")}


def test_a_page_tells_the_machine_the_tables_and_which_goals_were_not_reached() -> None:
    table = Table("Records a second", ("Subject", "Rate"), [("worker", "40,000")])
    goals = [at_least("worker / B at least 0.8", 0.79, 0.8), at_most("p99 at most 30 ms", 30.0, 30.0, "ms")]
    written = page(Section("intake", "Intake", [table], [CHART], goals, ["One process."]), "15.1")
    assert "PostgreSQL 15.1" in written
    assert "| worker | 40,000 |" in written
    assert "| worker / B at least 0.8 | 0.79 | not reached |" in written
    assert "| p99 at most 30 ms | 30.00 ms | reached |" in written
    assert "](intake.svg)" in written


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


@pytest.mark.asyncio
async def test_rounds_are_interleaved_and_every_second_one_goes_backwards() -> None:
    order: list[str] = []

    async def first() -> float:
        order.append("first")
        return float(len(order))

    async def second() -> float:
        order.append("second")
        return 7.0

    found = await interleaved({"first": first, "second": second}, 3, lambda _: None, "/s")
    assert order == ["first", "second", "second", "first", "first", "second"]
    assert found == {"first": 4.0, "second": 7.0}
