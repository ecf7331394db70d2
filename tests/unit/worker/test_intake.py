"""How much the intake fetches at once."""

import pytest

from worker.intake import BATCH_RECORDS, batch_size


@pytest.mark.parametrize(("failures", "records"), [(0, 2000), (1, 1000), (2, 500), (6, 31), (7, 20), (500, 20)])
def test_every_failure_halves_the_batch_down_to_a_few_records(failures: int, records: int) -> None:
    assert batch_size(failures) == records
    assert batch_size(0) == BATCH_RECORDS
