"""What the tests of the local stack share: this machine as probed once, and a run folder for each test."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local import kafka_jars
from deploy.local.choice import OLDEST_JAVA
from deploy.local.machine import Machine, probe
from deploy.local.run_folder import RunFolder


@pytest.fixture(scope="session")
def machine() -> Machine:
    return probe(os.environ)


@pytest.fixture
async def folder() -> AsyncIterator[RunFolder]:
    async with RunFolder.open() as opened:
        yield opened


@pytest.fixture
def java(machine: Machine) -> Path:
    if machine.java is None or machine.java.release < OLDEST_JAVA:
        pytest.skip(f"no Java {OLDEST_JAVA} on this machine")
    return machine.java.program


@pytest.fixture
async def jars(machine: Machine, folder: RunFolder) -> Path:
    if not machine.kafka_jars and machine.maven is None:
        pytest.skip("neither Apache Kafka's jars nor Maven on this machine")
    return await kafka_jars.fetch(folder, machine.maven or Path("mvn"))
