"""The consumer and the producer as this worker needs them: nothing lost, nothing committed unasked."""

import ssl

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from worker.header_names import read_any_header_name
from worker.intake import BATCH_RECORDS
from worker.settings import Settings

HEARTBEATS_PER_SESSION = 10
LONGEST_BATCH_MS = 300_000
LARGEST_MESSAGE_BYTES = 3 * 1024 * 1024


def make_consumer(settings: Settings) -> AIOKafkaConsumer:
    """Reads from the beginning where there is no offset, and commits only what it is told to. It has no topics yet."""
    read_any_header_name()
    session_ms = round(settings.kafka_session_seconds * 1000)
    return AIOKafkaConsumer(
        group_id=settings.kafka_group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=BATCH_RECORDS,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // HEARTBEATS_PER_SESSION,
        max_poll_interval_ms=LONGEST_BATCH_MS,
        rebalance_timeout_ms=LONGEST_BATCH_MS,
        max_partition_fetch_bytes=LARGEST_MESSAGE_BYTES,
        **_connection(settings),
    )


def make_reader(settings: Settings) -> AIOKafkaConsumer:
    """Sees every partition of both topics, joins no group, and leaves no trace."""
    read_any_header_name()
    return AIOKafkaConsumer(
        settings.approvals_topic,
        settings.toggles_topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=LARGEST_MESSAGE_BYTES,
        **_connection(settings),
    )


def make_producer(settings: Settings) -> AIOKafkaProducer:
    """Every message is acknowledged by all in-sync replicas, in order."""
    return AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_request_size=LARGEST_MESSAGE_BYTES,
        **_connection(settings),
    )


def _connection(settings: Settings) -> dict[str, object]:
    password = settings.kafka_sasl_password
    options: dict[str, object] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "client_id": "accounting-sync",
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = password.get_secret_value() if password else None
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    return options
