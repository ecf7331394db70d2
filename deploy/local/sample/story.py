"""What happens in the sample, in order: events come through Kafka, the rest is done as operators do it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.local.configurations import SAMPLE_MAPPING, configuration
from deploy.local.processes import ServiceError
from deploy.local.sample.command_line import Answer
from deploy.local.sample.records import Events
from deploy.local.sample.stack import Stack
from deploy.local.sandboxes.client import Erp

HOME: Mapping[str, Erp] = {"hlf": "xledger", "blindeforbundet": "business_central"}
"""The organisations that are set up, and their ERP. A third one publishes approvals and waits."""

NAMES = {"hlf": "Hørselshemmedes Landsforbund", "blindeforbundet": "Norges Blindeforbund"}
UNMAPPED = "R-2026-000403"
OPERATOR = "finance-1"
STEP_SECONDS = 60
LOOK_SECONDS = 0.05
MOST_BYTES = 4 * 1024 * 1024
ONE_AFTER_THE_OTHER = 1
"""Requests at once, so that the order of the documents can be checked; both connectors do several by default."""

READ = "select coalesce(sum(approvals + toggles + duplicates + dead_letters), 0) from intake_position"
UNDECIDED = """
select (select count(*) from sync_run where finished_at is null) + count(*)
from item i join connector c on c.organization_id = i.organization_id and c.enabled
where i.state not in ('synced', 'rejected')
"""
UNPUBLISHED = "select count(*) from outbox"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it beyond the database: how many records were published, and what was answered."""

    published: int
    refusals: Mapping[str, Answer]
    log_check: Answer


@dataclass(slots=True)
class Story:
    """One telling of the sample. Raises ServiceError when a step does not come to its end."""

    stack: Stack
    events: Events
    tell: Callable[[str], None]
    producer: AIOKafkaProducer
    database: asyncpg.Connection
    published: int = 0
    refusals: dict[str, Answer] = field(default_factory=dict)

    async def play(self) -> Played:
        await self.set_up()
        await self.approve_while_off()
        await self.try_what_is_not_allowed()
        await self.enable()
        await self.mend_the_mapping()
        await self.approve_while_on()
        await self.go_through_maintenance()
        await self._until("all events are published", UNPUBLISHED, 0)
        log_check = await self.stack.command_line("log", "verify")
        return Played(self.published, self.refusals, log_check)

    async def set_up(self) -> None:
        self.tell("1. Two organisations are set up, connectors off: hlf (Xledger), blindeforbundet (Business Central).")
        await asyncio.gather(*map(self._set_up, HOME))

    async def approve_while_off(self) -> None:
        self.tell("2. Reimbursements are approved while the connectors are off; some twice, one in conflict, some bad.")
        await self._publish("1-approved-while-off")
        await self._publish("2-duplicates-and-bad-records")

    async def try_what_is_not_allowed(self) -> None:
        self.tell("3. A stranger switches hlf's connector on; an operator wants to sync hlf by hand. Both are refused.")
        await self._publish("3-toggle-by-a-stranger")
        await self._sync_by_hand("hlf")

    async def enable(self) -> None:
        self.tell("4. Each organisation's own administrator switches its connector on: what waited is posted.")
        await self._publish("4-enable")
        await self._until_decided()

    async def mend_the_mapping(self) -> None:
        self.tell(f"5. hlf's mapping did not know 'parking': it is mended, and {UNMAPPED} is tried again.")
        accounts = {**_mapped("expense_types"), "parking": {"account": "7160"}}
        await self._configure("hlf", OPERATOR, {**SAMPLE_MAPPING, "expense_types": accounts})
        reason = ("--actor", OPERATOR, "--reason", "Parking is mapped to 7160 now")
        await self.stack.command_line.done("item", "retry", "hlf", UNMAPPED, *reason)
        await self._until_decided()

    async def approve_while_on(self) -> None:
        self.tell("6. An approval while the connector is on is posted at once.")
        await self._publish("5-approved-while-on")
        await self._until_decided()

    async def go_through_maintenance(self) -> None:
        self.tell("7. blindeforbundet is switched off for maintenance, two approvals wait, then on again.")
        reason = ("--actor", OPERATOR, "--reason", "New client secret", "--wait")
        await self.stack.command_line.done("connector", "disable", "blindeforbundet", *reason)
        await self._publish("6-approved-during-maintenance")
        await self._sync_by_hand("blindeforbundet")
        await self._publish("7-enable-again")
        await self._until_decided()

    async def _set_up(self, organization: str) -> None:
        await self.stack.command_line.done("organization", "add", organization, "--name", NAMES[organization])
        await self._configure(organization, "operator", SAMPLE_MAPPING)

    async def _configure(self, organization: str, actor: str, mapping: Mapping[str, object]) -> None:
        kind = HOME[organization]
        file = configuration(self.stack.erps[kind], concurrency=ONE_AFTER_THE_OTHER, mapping=dict(mapping))
        arguments = ("connector", "configure", organization, kind, "--actor", actor, "--file", "-")
        await self.stack.command_line.done(*arguments, file=file)

    async def _sync_by_hand(self, organization: str) -> None:
        answer = await self.stack.command_line("sync", "run", organization, "--actor", OPERATOR)
        self.refusals[organization] = answer
        self.tell(f"   accounting-sync sync run {organization} → exit {answer.status}: {answer.complaint}")

    async def _publish(self, name: str) -> None:
        """All records of a file, in their order; returns once the worker has read them."""
        topics = {"approvals": self.stack.topics.approvals, "toggles": self.stack.topics.toggles}
        records = [one.to_record() for one in self.events[name]]
        sent = [
            await self.producer.send(topics[record.topic], key=record.key, value=record.value, headers=record.headers)
            for record in records
        ]
        await asyncio.gather(*sent)
        self.published += len(records)
        await self._until(f"the events of {name} are read", READ, self.published)

    async def _until_decided(self) -> None:
        await self._until("nothing waits for a connector that is on, and its run is finished", UNDECIDED, 0)

    async def _until(self, what: str, question: str, answer: int) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while await self.database.fetchval(question) != answer:
            if not self.stack.worker.running:
                raise self.stack.worker.failure("ended by itself")
            if time.monotonic() > deadline:
                raise ServiceError(f"Waited {STEP_SECONDS} s in vain until {what}.")
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def storyteller(stack: Stack, events: Events, tell: Callable[[str], None]) -> AsyncIterator[Story]:
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.services.bootstrap_servers, acks="all", max_request_size=MOST_BYTES
    )
    database = await asyncpg.connect(stack.database_url)
    try:
        await producer.start()
        yield Story(stack, events, tell, producer, database)
    finally:
        await producer.stop()
        await database.close()


def _mapped(part: str) -> Mapping[str, object]:
    found = SAMPLE_MAPPING[part]
    if not isinstance(found, Mapping):
        raise TypeError(f"{part} of the sample's mapping is no object")
    return found
