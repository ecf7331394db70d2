"""Random steps on the real SQL and on a model of it: the promises hold after every one, and every guard is missed."""

import os
from collections.abc import Iterator

import pytest

from deploy.local.services import Services
from tests.state.controls import MISSED_BY, ONLY, Broken, broken
from tests.state.play import NOT_SHRUNK, play, workbench
from tests.state.world import Workbench

EXAMPLES = 200
EXAMPLES_OF_A_CONTROL = 300
SEED_OF_CONTROLS = 7
"""With one by chance, a rare run would not come upon what a guard is for."""


@pytest.fixture(scope="module")
def bench(services: Services) -> Iterator[Workbench]:
    with workbench(services.database_url) as opened:
        yield opened


@pytest.mark.timeout(600)
def test_no_sequence_of_steps_breaks_a_promise(bench: Workbench) -> None:
    seed = os.environ.get("SEED")
    play(bench, EXAMPLES, int(seed) if seed else None)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("variant", Broken)
def test_a_guard_that_is_missing_is_missed(bench: Workbench, variant: Broken) -> None:
    with broken(variant), pytest.raises(AssertionError, match=f"^({MISSED_BY[variant]}): "):
        play(bench, EXAMPLES_OF_A_CONTROL, SEED_OF_CONTROLS, phases=NOT_SHRUNK, only=ONLY.get(variant, ()))
