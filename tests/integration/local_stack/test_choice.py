"""The decision alone: what is taken from which machine, and what is said when nothing is there."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.choice import Choices, MissingError, Purpose, Source, decide
from deploy.local.database import PostgresPrograms
from deploy.local.machine import Java, Machine

BARE = Machine()
FULL = Machine(
    bootstrap_servers="broker:9092",
    database_url="postgresql://database/x",
    docker=True,
    java=Java(Path("java"), 17),
    kafka_jars=True,
    maven=Path("mvn"),
    postgresql=PostgresPrograms(Path("bin"), 15),
    embedded_postgresql=PostgresPrograms(Path("wheel"), 18),
    mock_library=Path("librdkafka.so"),
)
NO_ADDRESSES = replace(FULL, bootstrap_servers=None, database_url=None)
NO_DOCKER = replace(NO_ADDRESSES, docker=False)
PYTHON_ALONE = Machine(embedded_postgresql=FULL.embedded_postgresql, mock_library=FULL.mock_library)


def sources(machine: Machine, purpose: Purpose = "run", **environ: str) -> tuple[Source, Source]:
    choices = decide(machine, purpose, environ)
    return choices.broker.source, choices.database.source


@pytest.mark.parametrize(
    ("machine", "broker", "database"),
    [
        (FULL, Source.ENVIRONMENT, Source.ENVIRONMENT),
        (NO_ADDRESSES, Source.DOCKER, Source.DOCKER),
        (NO_DOCKER, Source.PROGRAMS, Source.PROGRAMS),
        (replace(NO_DOCKER, kafka_jars=False), Source.PROGRAMS, Source.PROGRAMS),
        (replace(NO_DOCKER, maven=None), Source.PROGRAMS, Source.PROGRAMS),
        (PYTHON_ALONE, Source.EMBEDDED, Source.EMBEDDED),
        (replace(NO_DOCKER, java=None, postgresql=None), Source.EMBEDDED, Source.EMBEDDED),
        (replace(NO_ADDRESSES, database_url="x"), Source.DOCKER, Source.ENVIRONMENT),
    ],
)
def test_the_first_source_that_is_there_is_taken(machine: Machine, broker: Source, database: Source) -> None:
    assert sources(machine) == (broker, database)


def test_tests_never_run_on_the_embedded_broker() -> None:
    with pytest.raises(MissingError, match=r"^No Kafka broker can be had here: install Java 17.*Docker.*\.$"):
        decide(PYTHON_ALONE, "test", {})


def test_too_old_a_java_or_postgresql_is_not_taken() -> None:
    old = replace(NO_DOCKER, java=Java(Path("java"), 11), postgresql=PostgresPrograms(Path("bin"), 13))
    assert sources(old) == (Source.EMBEDDED, Source.EMBEDDED)
    with pytest.raises(MissingError, match=r"Java 17 or newer \(found: 11\)"):
        decide(old, "run", {"BROKER": "kafka"})


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ("kafka", Source.PROGRAMS),
        ("programs", Source.PROGRAMS),
        ("docker", Source.DOCKER),
        ("embedded", Source.EMBEDDED),
        ("environment", Source.ENVIRONMENT),
    ],
)
def test_broker_forces_a_choice(word: str, source: Source) -> None:
    assert sources(FULL, BROKER=word)[0] is source


@pytest.mark.parametrize("word", ["postgresql", "programs", "docker", "embedded", "environment"])
def test_database_forces_a_choice(word: str) -> None:
    assert sources(FULL, DATABASE=word)[1] is Source("programs" if word == "postgresql" else word)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"BROKER": "kafka"}, "install Java 17 or newer and Maven"),
        ({"BROKER": "docker"}, "start a Docker engine"),
        ({"BROKER": "embedded"}, "install the package confluent-kafka"),
        ({"BROKER": "environment"}, "set SYNC_KAFKA_BOOTSTRAP_SERVERS"),
        ({"BROKER": "rabbit"}, "BROKER=rabbit is not known"),
        ({}, "No Kafka broker can be had here"),
    ],
)
def test_a_missing_broker_is_one_sentence_that_says_what_to_do(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(MissingError) as missing:
        decide(replace(PYTHON_ALONE, mock_library=None), "run", environ)
    assert sentence in str(missing.value)
    assert "\n" not in str(missing.value)


@pytest.mark.parametrize("word", ["postgresql", "docker", "embedded", "environment", "oracle", ""])
def test_a_missing_database_is_one_sentence_that_says_what_to_do(word: str) -> None:
    with pytest.raises(MissingError, match=r"^[^\n]*(install|start|set|use)[^\n]*\.$"):
        decide(replace(BARE, mock_library=Path("x")), "run", {"DATABASE": word})


def test_maven_is_needed_only_while_the_jars_are_not_there() -> None:
    with pytest.raises(MissingError, match="install Maven"):
        decide(replace(NO_DOCKER, kafka_jars=False, maven=None), "run", {"BROKER": "kafka"})


def test_several_brokers_are_real_ones() -> None:
    choices: Choices = decide(NO_ADDRESSES, "run", {}, brokers=3)
    assert choices.broker.source is Source.PROGRAMS
    with pytest.raises(MissingError, match="several brokers"):
        decide(NO_ADDRESSES, "run", {"BROKER": "docker"}, brokers=3)


def test_the_embedded_broker_says_loudly_that_it_is_for_looking_only() -> None:
    assert "IN MEMORY, for looking only" in decide(PYTHON_ALONE, "run", {}).broker.why
