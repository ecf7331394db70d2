"""Names of Kafka headers that are not UTF-8. No client in Java or Python writes one, one in C may.

aiokafka reads names while it takes a fetched batch apart and raises `UnicodeDecodeError` in the middle of it, each time
that batch is fetched, so that its partition stands still. There is no setting for it, and `aiokafka.consumer.fetcher`
looks its reader up by the name `MemoryRecords`: that is where ours is put.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = struct.Struct(">8xi")
"""Of a batch, after its base offset. It counts what comes after itself."""
_PLAIN = bytes(range(128)) + b"?" * 128


def read_any_header_name() -> None:
    """From here on, in this process. What can't be read in a name becomes a question mark, for each of its bytes."""
    fetcher.MemoryRecords = _Records


class _Records:
    """The batches of a fetched partition, in the shape of aiokafka's own, which does the work."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._records = MemoryRecords(content)

    def size_in_bytes(self) -> int:
        return len(self._content)

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> "_Batch":
        batch = self._records.next_batch()
        start = self._at
        self._at += _LENGTH.size + _LENGTH.unpack_from(self._content, start)[0]
        return _Batch(batch, self._content[start : self._at])


class _Batch:
    """aiokafka's batch in C; from the first name on that it can't read, aiokafka's batch in Python."""

    def __init__(self, batch: Any, content: bytes) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for record in self._batch:
                count += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_PatientBatch(self._content), count, None)


class _PatientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    def _read_msg(self, *reading: Any) -> Any:
        """Reads a record again once what is wrong with a name of it is mended in the buffer."""
        while True:
            try:
                return super()._read_msg(*reading)
            except UnicodeDecodeError as error:
                name = bytes(error.object)
                at = self._buffer.index(name, self._pos)
                self._buffer[at : at + len(name)] = name.translate(_PLAIN)
