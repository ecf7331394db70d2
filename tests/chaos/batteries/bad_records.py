"""Generated bad records among good ones: each becomes a dead letter with a reason and costs its neighbours nothing."""

from tests.chaos.arena import Arena
from tests.chaos.bad_mail import BadMail, Spoilt
from tests.chaos.battery import Battery, Control
from tests.chaos.oracle import Harm
from tests.chaos.variants import Variant

WORKERS = 2
AT_ONCE = 50
GOOD_EACH = 3
SENTENCES = 20
STORING_SECONDS = 60.0


async def strike(arena: Arena, size: int) -> None:
    workers = [arena.worker() for _ in range(WORKERS)]
    sent = await _send(arena, size)
    await _check(arena, sent)
    for worker in workers:
        await worker.leave()


async def _before_anyone_reads(arena: Arena, size: int) -> None:
    """For the control: good and bad are there before the first worker is, so that they come in one batch."""
    sent = await _send(arena, size)
    arena.worker()
    await _check(arena, sent)


async def _send(arena: Arena, size: int) -> list[Spoilt]:
    """Good ones first: some of the bad ones contradict them."""
    mail, sent = BadMail(arena), list[Spoilt]()
    while len(sent) < size:
        await arena.approve(arena.random.choice(arena.houses), GOOD_EACH)
        sent += await mail.send(min(AT_ONCE, size - len(sent)))
    for one in sent:
        arena.fault(str(one.reason))
    return sent


async def _check(arena: Arena, sent: list[Spoilt]) -> None:
    """In PostgreSQL and on the dead-letter topic."""
    await arena.scene.all_read()
    stored = await arena.scene.fetch("select topic, partition, kafka_offset, reason from dead_letter")
    _compare(arena, sent, {(row[0], row[1], row[2]): row[3] for row in stored}, "in PostgreSQL")
    await arena.scene.nothing_to_publish()
    published = [dict(one.headers) for one in await arena.scene.published(arena.scene.settings.dead_letter_topic)]
    told = {
        (one["dl_topic"].decode(), int(one["dl_partition"]), int(one["dl_offset"])): one["dl_reason"].decode()
        for one in published
    }
    _compare(arena, sent, told, "on the dead-letter topic")


def _compare(arena: Arena, sent: list[Spoilt], found: dict[tuple[str, int, int], str], where: str) -> None:
    expected = {one.place: one for one in sent}
    wrong = [one for place, one in expected.items() if found.get(place) != one.reason]
    arena.noticed += [f"{one.name}: {found.get(one.place)} {where}, not {one.reason}." for one in wrong[:SENTENCES]]
    good = [place for place in found if place not in expected]
    arena.noticed += [f"The record at {place} was good, but is {found[place]} {where}." for place in good[:SENTENCES]]


BATTERY = Battery(
    name="bad_records",
    title="generated bad records among good ones",
    size=10_000,
    short=300,
    strike=strike,
    controls=(Control(Variant.ONE_BAD_COSTS_ALL, Harm.LOST, _before_anyone_reads, size=10),),
    patience=120.0,
    kinds=7,
)
