"""Everything that can happen, each with what it can happen to, how often it is chosen, and what is drawn for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.state import asking, passing, people, posting, reach
from tests.state.books import Status
from tests.state.passing import Fate
from tests.state.people import Copy, Person
from tests.state.posting import Answer
from tests.state.reach import Reach

Drawn = Mapping[str, st.SearchStrategy[object]]

PEOPLE = st.sampled_from([Person.OWN_ADMIN, Person.OWN_ADMIN, Person.GLOBAL_ADMIN, Person.STRANGER])
AMOUNTS = st.sampled_from([["250.00"], ["99.90"], ["250.00", "99.90"]])
ANSWERS = st.sampled_from([*Answer, Answer.SERVED, Answer.NONE, Answer.NONE])
TWICE = st.sampled_from([False, False, True])
MOSTLY_ON = st.sampled_from([True, True, True, False])
FATES = st.builds(Fate, st.sampled_from([Status.FINAL, Status.FINAL, Status.STAGED, None]), is_visible=st.booleans())
DECISIONS = st.sampled_from([Status.FINAL, Status.REFUSED, Status.REMOVED])


@dataclass(frozen=True)
class Step:
    """`happen` is called with the world, what `reach` gives under the name chosen, and what was drawn, by name."""

    happen: Callable[..., Awaitable[None]]
    reach: Reach
    weight: int
    drawn: Drawn = field(default_factory=dict)


STEPS: Mapping[str, Step] = {
    "approve": Step(people.approve, reach.houses_with_room, 2, {"amounts": AMOUNTS}),
    "approve again": Step(people.approve_again, reach.items, 1, {"copy": st.sampled_from(Copy)}),
    "switch": Step(people.switch, reach.houses, 2, {"person": PEOPLE, "enabled": MOSTLY_ON}),
    "finish switching off": Step(people.finish_off, reach.houses, 1),
    "ask for a run": Step(people.run_by_hand, reach.houses, 1, {"person": PEOPLE}),
    "finish the run": Step(people.finish_run, reach.houses, 1),
    "a probe is answered": Step(people.resume, reach.houses, 1),
    "reconfigure": Step(people.reconfigure, reach.houses, 1, {"vendor": st.sampled_from(["V-1", "V-2"])}),
    "decide": Step(people.decide, reach.items, 1, {"person": PEOPLE, "retries": MOSTLY_ON}),
    "decide on the troubled": Step(people.decide, reach.troubled, 1, {"person": PEOPLE, "retries": MOSTLY_ON}),
    "take the lane": Step(posting.take, reach.hands_and_houses, 2),
    "renew the leases": Step(posting.renew, reach.hands, 1),
    "give the lane back": Step(posting.give_back, reach.lanes, 1),
    "a lease ends": Step(passing.end_lease, reach.leased_houses, 1),
    "the lane is taken over": Step(posting.take_over, reach.others, 4, {"limit": st.integers(1, 2)}),
    "crash": Step(posting.crash, reach.hands, 1),
    "claim": Step(posting.post_next, reach.lanes, 3, {"limit": st.integers(1, 3)}),
    "take and claim": Step(posting.take_and_claim, reach.hands_and_houses, 3, {"limit": st.integers(1, 2)}),
    "post": Step(posting.post, reach.hands_and_houses, 6, {"answer": ANSWERS, "is_told_twice": TWICE}),
    "send": Step(posting.send, reach.unsent, 3),
    "settle": Step(posting.settle, reach.flights, 5, {"answer": ANSWERS, "is_told_twice": TWICE}),
    "look up": Step(asking.ask, reach.askable, 6),
    "write what was found": Step(asking.finish, reach.looks, 5),
    "a back-off passes": Step(passing.make_due, reach.waiting, 4),
    "a quarantine passes": Step(
        passing.end_quarantine, reach.quarantined, 8, {"last_moment": st.lists(FATES, max_size=2)}
    ),
    "the ERP gets round to a request": Step(passing.befall, reach.requests, 3, {"fate": FATES}),
    "the import decides": Step(passing.decide_import, reach.staged_entries, 3, {"status": DECISIONS}),
    "the import takes long": Step(passing.age_import, reach.staged_items, 2),
    "somebody alters a document": Step(passing.alter, reach.documents, 1),
}
