"""Batches with header names that aiokafka itself can't read."""

from typing import Any

import pytest
from aiokafka.consumer import fetcher

from tests.odd_names import AS_READ, GZIP, NO_CODEC, ODD, OddName, builder
from worker.header_names import read_any_header_name

Header = tuple[str, bytes | None]
VALUE = b"value " * 100


def batch(*records: list[Header], codec: int = NO_CODEC, value: bytes = VALUE) -> bytes:
    built = builder(codec)
    for offset, headers in enumerate(records):
        built.append(offset, 1, b"key", value, headers)
    return bytes(built.build())


def read(content: bytes) -> list[Any]:
    """As the fetcher reads what the broker gives."""
    read_any_header_name()
    records, found = fetcher.MemoryRecords(content), []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += list(one)
    assert records.size_in_bytes() == len(content)
    return found


PLAIN: list[Header] = [("ce_id", b"1"), ("ce_type", None)]
ONE_ODD: list[Header] = [("ce_id", b"1"), (OddName(), b"odd"), ("ce_type", None)]


@pytest.mark.parametrize("codec", [NO_CODEC, GZIP], ids=["plain", "compressed"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_name_that_is_not_utf_8_costs_no_record_of_its_batch(codec: int, at: int) -> None:
    records = [PLAIN, PLAIN, PLAIN]
    records[at] = ONE_ODD
    found = read(batch(*records, codec=codec))
    assert [record.offset for record in found] == [0, 1, 2]
    assert {record.value for record in found} == {VALUE}
    assert [("??name?" in dict(record.headers)) for record in found] == [n == at for n in range(3)]
    assert found[at].headers == [("ce_id", b"1"), (AS_READ, b"odd"), ("ce_type", None)]


def test_several_in_one_record_and_in_several_batches_are_read() -> None:
    odd: list[Header] = [(OddName(), b"1"), (OddName(), None)]
    found = read(batch(PLAIN) + batch(odd, PLAIN) + batch(odd))
    assert [len(record.headers) for record in found] == [2, 2, 2, 2]
    assert found[1].headers == [(AS_READ, b"1"), (AS_READ, None)]


def test_a_value_with_the_same_bytes_ends_as_well() -> None:
    """What is no text was refused already; where it can't be told from the name, it is mended with it."""
    (record,) = read(batch(ONE_ODD, value=b"before " + ODD))
    assert record.value == b"before " + AS_READ.encode()


def test_batches_without_odd_names_are_read_as_they_are() -> None:
    assert [record.headers for record in read(batch(PLAIN, []) + batch(PLAIN))] == [PLAIN, [], PLAIN]
