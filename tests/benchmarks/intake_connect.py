"""Kafka Connect with a JDBC sink, as a subject of the intake benchmark: one standalone process from its own jars."""

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.kafka_broker import LOG4J
from deploy.local.kafka_jars import KAFKA_VERSION
from deploy.local.machine import probe
from deploy.local.maven_jars import MavenJars
from deploy.local.processes import Process, Program, ServiceError, free_port
from tests.benchmarks.ground import PEERS, Ground

JARS = MavenJars(
    title="Kafka Connect with a JDBC sink",
    folder=f"connect-{KAFKA_VERSION}-jdbc",
    size="75 MB",
    pom=PEERS / "connect" / "pom.xml",
)
BATCH = 2000
TASKS = 1
COLUMNS = {
    "organization_id": {"type": "string"},
    "reimbursement_id": {"type": "string"},
    "approved_at": {"type": "string", "name": "io.debezium.time.ZonedTimestamp"},
    "currency": {"type": "string"},
    "total_minor": {"type": "int64"},
    "content": {"type": "string"},
}
_NUMBERS = count(1)


async def fetch_jars(ground: Ground) -> Path | None:
    """None where Maven or Java are missing here, or Maven can't get them."""
    machine = probe({})
    if machine.java is None or machine.maven is None:
        return None
    try:
        return await JARS.fetch(ground.services.folder, machine.maven, tell=ground.tell)
    except ServiceError as refused:
        ground.tell(str(refused))
        return None


def start_connect(ground: Ground, jars: Path, topic: str, url: str) -> Process:
    """Stores the topic's flat events in the table `approval` of the database at `url`."""
    name = f"connect-{next(_NUMBERS)}"
    folder = ground.services.folder.make(name)
    worker = _file(folder / "worker.properties", _worker(ground, folder))
    sink = _file(folder / "sink.properties", {"name": name, **_sink(topic, url)})
    java = machine.program if (machine := probe({}).java) else Path("java")
    arguments: list[str | Path] = [java, "-Xms256m", "-Xmx1g", f"-Dlog4j2.configurationFile={LOG4J}", "-cp", jars / "*"]
    main = "org.apache.kafka.connect.cli.ConnectStandalone"
    return ground.services.folder.start(Program(name=name, arguments=[*arguments, main, worker, sink]))


def _worker(ground: Ground, folder: Path) -> Mapping[str, object]:
    return {
        "bootstrap.servers": ground.services.bootstrap_servers,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(_schema()),
        "offset.storage.file.filename": folder / "offsets",
        "offset.flush.interval.ms": 1000,
        "listeners": f"http://127.0.0.1:{free_port()}",
    }


def _sink(topic: str, url: str) -> Mapping[str, object]:
    """Batches as large as the worker's, rewritten into statements of many rows; a key absorbs duplicates."""
    database = urlsplit(url)
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": TASKS,
        "topics": topic,
        "connection.url": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}?reWriteBatchedInserts=true",
        "connection.username": database.username,
        "connection.password": database.password,
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "organization_id,reimbursement_id",
        "schema.evolution": "none",
        "collection.name.format": "approval",
        "batch.size": BATCH,
        "consumer.override.max.poll.records": BATCH,
    }


def _schema() -> Mapping[str, object]:
    fields = [{"field": name, "optional": False, **kind} for name, kind in COLUMNS.items()]
    return {"type": "struct", "optional": False, "name": "approval", "fields": fields}


def _file(path: Path, properties: Mapping[str, object]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), "utf-8")
    return path
