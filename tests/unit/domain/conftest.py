"""What surrounds a decision, and must not change it."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("mutation", settings.get_profile("ci"), max_examples=25)  # every mutant runs them all anew


@pytest.fixture
def machine_in_kathmandu() -> Iterator[None]:
    """The machine's own time zone is none that anybody else is in, 5:45 h ahead of UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()
