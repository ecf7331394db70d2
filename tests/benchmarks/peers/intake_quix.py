"""Quix Streams with a batching sink of its own kind, as its documentation shows one, on psycopg.

python intake_quix.py sink BOOTSTRAP_SERVERS TOPIC GROUP DATABASE_URL

It validates in a step of the pipeline and writes before its checkpoint; a key absorbs duplicates. A bad record ends it.
"""

import re
import sys

import psycopg
from intake_event import BATCH, INSERT_MANY, Approval, Row, columns, row_of
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

INSERT = re.sub(r"\$[0-9]", "%s", INSERT_MANY)


class ApprovalSink(BatchingSink):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def setup(self) -> None:
        self._connection = psycopg.connect(self._url, autocommit=True)

    def write(self, batch: SinkBatch) -> None:
        self._connection.execute(INSERT, columns([item.value for item in batch]))


def read(value: bytes) -> Row:
    return row_of(Approval.model_validate_json(value), value)


def run(servers: str, topic: str, group: str, url: str) -> None:
    app = Application(
        broker_address=servers, consumer_group=group, auto_offset_reset="earliest", commit_every=BATCH, loglevel=None
    )
    approvals = app.dataframe(app.topic(topic, value_deserializer="bytes"))
    approvals.apply(read).sink(ApprovalSink(url))
    app.run()


if __name__ == "__main__":
    run(*sys.argv[2:])
