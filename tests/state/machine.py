"""The machine that Hypothesis drives: each step is done to the product and to the model, and compared at once."""

from collections.abc import Coroutine, Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.state import people
from tests.state.ending import come_to_an_end
from tests.state.people import Person
from tests.state.steps import AMOUNTS, STEPS
from tests.state.world import Workbench, World
from worker.domain.release import ReleasePolicy

POLICIES = st.sampled_from(ReleasePolicy)


class States(RuleBasedStateMachine):
    """Two organisations, two ERPs, two workers, and everything that can happen to them.

    One rule chooses among what is possible now. Hypothesis leaves out some rules in each example, and without an
    approval, a lease or a claim nothing that matters can happen. `only`: the steps that a control needs (none: all).
    """

    bench: ClassVar[Workbench]
    only: ClassVar[Sequence[str]] = ()
    world: World
    is_whole = False

    @initialize(xledger=POLICIES, central=POLICIES, amounts=AMOUNTS)
    def begin(self, xledger: ReleasePolicy, central: ReleasePolicy, amounts: list[str]) -> None:
        policies = {"xledger": xledger, "business_central": central}
        self.world = self.bench.loop.run_until_complete(World.make(self.bench, policies))
        for house in self.world.houses.values():
            self.step(people.switch(self.world, house, Person.GLOBAL_ADMIN, enabled=True))
            self.step(people.approve(self.world, house, amounts))

    @rule(data=st.data())
    def happens(self, data: st.DataObject) -> None:
        self.step(self._next(data))

    async def _next(self, data: st.DataObject) -> None:
        found = {name: step.reach(self.world) for name, step in STEPS.items() if not self.only or name in self.only}
        possible = [name for name, candidates in found.items() if candidates for _ in range(STEPS[name].weight)]
        name = data.draw(st.sampled_from(possible), label="step")
        which = data.draw(st.sampled_from(list(found[name])), label="of")
        drawn = {label: data.draw(strategy, label=label) for label, strategy in STEPS[name].drawn.items()}
        await STEPS[name].happen(self.world, *found[name][which], **drawn)

    def teardown(self) -> None:
        if self.is_whole:
            self.step(come_to_an_end(self.world))
        if hasattr(self, "world"):
            self.bench.loop.run_until_complete(self.world.end())

    def step(self, work: Coroutine[object, object, None]) -> None:
        """All promises are held against it. What is broken is not played to its end."""
        self.is_whole = False
        self.bench.loop.run_until_complete(self._checked(work))
        self.is_whole = True

    async def _checked(self, work: Coroutine[object, object, None]) -> None:
        await work
        await self.world.check()
