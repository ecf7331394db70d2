from collections import Counter

import pytest

from schemas.approval import AcceptedApproval, ReimbursementApproved
from schemas.dead_letter import DeadLetterReason, NotAcceptedError
from schemas.record import read_record
from tests.unit.bad_records import CURATED_RECORDS, CuratedRecord

_GOOD = [record for record in CURATED_RECORDS if record.expected is None]
_BAD = [record for record in CURATED_RECORDS if record.expected is not None]


@pytest.mark.parametrize("record", _BAD, ids=lambda record: record.name)
def test_a_bad_record_is_refused_for_its_reason(record: CuratedRecord) -> None:
    with pytest.raises(NotAcceptedError) as refused:
        read_record(record.topic, record.key, record.value, record.headers)
    assert refused.value.reason == record.expected
    assert refused.value.detail


@pytest.mark.parametrize("record", _GOOD, ids=lambda record: record.name)
def test_an_odd_but_good_record_is_accepted(record: CuratedRecord) -> None:
    read_record(record.topic, record.key, record.value, record.headers)


@pytest.mark.parametrize("record", _GOOD, ids=lambda record: record.name)
def test_accepted_approvals_survive_their_stored_form(record: CuratedRecord) -> None:
    content = read_record(record.topic, record.key, record.value, record.headers)
    if isinstance(content, AcceptedApproval):
        assert ReimbursementApproved.from_canonical(content.content).accepted() == content


def test_every_reason_but_that_of_the_database_is_in_the_corpus() -> None:
    assert {record.expected for record in _BAD} == set(DeadLetterReason) - {DeadLetterReason.CONFLICTING_CONTENT}


def test_names_and_accepted_ids_are_distinct() -> None:
    names = Counter(record.name for record in CURATED_RECORDS)
    contents = [read_record(record.topic, record.key, record.value, record.headers) for record in _GOOD]
    ids = Counter(content.reimbursement_id for content in contents if isinstance(content, AcceptedApproval))
    assert max(names.values()) == 1
    assert max(ids.values()) == 1
    assert len(CURATED_RECORDS) >= 75
