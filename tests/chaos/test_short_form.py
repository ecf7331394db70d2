"""Every battery with few faults, and every control: what `make chaos` does in full."""

import pytest

from tests.chaos.batteries import batteries
from tests.chaos.battery import play, play_control
from tests.chaos.ground import Ground
from tests.chaos.points import POINTS
from tests.chaos.wrapping import function_at

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SEED = 7
BATTERIES = {battery.name: battery for battery in batteries()}
CONTROLS = {
    f"{battery.name}-{control.variant.name}-{control.caught_by}": (battery, control)
    for battery in BATTERIES.values()
    for control in battery.controls
    if control.is_short
}


@pytest.mark.parametrize("name", BATTERIES)
async def test_the_worker_loses_doubles_and_strands_nothing(ground: Ground, name: str) -> None:
    battery = BATTERIES[name]
    row = await play(ground, battery, battery.short, SEED)
    assert {harm: sentences for harm, sentences in row.harm.items() if sentences} == {}
    assert row.is_as_it_should_be, row


@pytest.mark.parametrize("name", CONTROLS)
async def test_a_broken_worker_is_caught(ground: Ground, name: str) -> None:
    battery, control = CONTROLS[name]
    row = await play_control(ground, battery, control, SEED)
    assert row.harm[control.caught_by], row.harm
    assert row.is_as_it_should_be, row


async def test_every_battery_has_a_control() -> None:
    assert [battery.name for battery in BATTERIES.values() if not battery.controls] == []


async def test_every_point_is_in_the_product() -> None:
    assert len(POINTS) >= 15
    assert all(function_at(point.target) for point in POINTS.values())
