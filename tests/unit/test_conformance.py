"""The table of connectors/README.md says what the one suite asks of each adapter, and of all that are installed."""

from importlib.metadata import entry_points

from tests.contract.conformance import KINDS, claims, table, told


def test_the_readme_tells_what_the_suite_asks_of_each_adapter() -> None:
    assert told() == table(), "run: python -m tests.contract.conformance"


def test_every_adapter_that_is_installed_is_asked() -> None:
    assert {one.name for one in entry_points(group="accounting_sync.connectors")} == set(KINDS)


def test_an_exception_is_an_adapters_and_has_a_reason_and_none_is_everyones() -> None:
    for claim in claims():
        assert set(claim.exceptions) < set(KINDS)
        assert all(claim.exceptions.values())
