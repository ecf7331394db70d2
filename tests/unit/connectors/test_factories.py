"""Configurations that cannot work are refused before anything is sent, one sentence for each mistake."""

from collections.abc import Mapping

import pytest

from connectors import business_central, xledger
from connectors.contract import ConfigurationError, ConnectorFactory, Environment
from tests.unit.connectors.samples import mapping

XLEDGER: Mapping[str, object] = {"base_url": "https://www.xledger.net/graphql"}
BUSINESS_CENTRAL: Mapping[str, object] = {
    "tenant_id": "7b1d2c6e-3f0a-4c55-9a51-2f6f0d9c4e01",
    "environment": "production",
    "company_id": "c4a0c1de-58f7-4b6f-8c2e-91d3b7aa0102",
    "base_url": "https://api.businesscentral.dynamics.com/v2.0",
    "token_url": "https://login.microsoftonline.com/7b1d2c6e-3f0a-4c55-9a51-2f6f0d9c4e01/oauth2/v2.0/token",
}
CREDENTIALS = {"xledger": {"token": "t0ken"}, "business_central": {"client_id": "id", "client_secret": "s3cret"}}
CASES = [(xledger.factory, XLEDGER), (business_central.factory, BUSINESS_CENTRAL)]
LOCAL = Environment(frozenset({"127.0.0.1:9001"}))

pytestmark = pytest.mark.parametrize(("factory", "settings"), CASES, ids=["xledger", "business_central"])


def problems(factory: ConnectorFactory, settings: Mapping[str, object]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        factory.validate(settings, LOCAL)
    assert all(problem.endswith(".") for problem in raised.value.problems)
    return raised.value.problems


def test_the_configuration_of_the_interface_is_accepted(
    factory: ConnectorFactory, settings: Mapping[str, object]
) -> None:
    options = {"time_zone": "Europe/Oslo", "quarantine_seconds": 900, "concurrency": 2}
    factory.validate({**settings, **options}, Environment())


def test_a_loopback_address_that_is_listed_is_accepted(
    factory: ConnectorFactory, settings: Mapping[str, object]
) -> None:
    factory.validate({**settings, "base_url": "http://127.0.0.1:9001/v2.0"}, LOCAL)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tokn": "s3cret"}, "tokn is not a known setting."),
        ({"base_url": "https://evil.example/x"}, "base_url leads to evil.example:443, which is not among"),
        ({"base_url": "http://127.0.0.1:9002/x"}, "base_url leads to 127.0.0.1:9002, which is not among"),
        ({"base_url": "https://u:s3cret@127.0.0.1:9001/x"}, "base_url must not hold a user name or password."),
        ({"base_url": "127.0.0.1:9001"}, "base_url must be a full https address."),
        ({"base_url": "https://127.0.0.1:9001/?x=s3cret"}, "base_url has a value of the wrong form."),
        ({"base_url": "https://127.0.0.1:9001/a b"}, "base_url has a value of the wrong form."),
        ({"time_zone": "Mars/Olympus"}, "time_zone has a value of the wrong form."),
        ({"time_zone": "../../etc/passwd"}, "time_zone has a value of the wrong form."),
        ({"quarantine_seconds": -1}, "quarantine_seconds is outside its range."),
        ({"concurrency": 0}, "concurrency is outside its range."),
        ({"concurrency": "many"}, "concurrency has a value of the wrong form."),
    ],
)
def test_what_cannot_work_is_told_without_quoting_it(
    factory: ConnectorFactory, settings: Mapping[str, object], change: Mapping[str, object], told: str
) -> None:
    (problem,) = problems(factory, {**settings, **change})
    assert problem.startswith(told)
    assert "s3cret" not in problem


def test_plain_http_is_refused_outside_this_machine(factory: ConnectorFactory, settings: Mapping[str, object]) -> None:
    listed = Environment(frozenset({"erp.example:8080"}))
    with pytest.raises(ConfigurationError, match="base_url must use https"):
        factory.validate({**settings, "base_url": "http://erp.example:8080/"}, listed)


def test_every_mistake_is_told_at_once(factory: ConnectorFactory, settings: Mapping[str, object]) -> None:
    assert len(problems(factory, {**settings, "a": 1, "b": 2, "time_zone": ""})) == 3


@pytest.mark.parametrize("value", ["", "two words", "line\r\nX-Injected: 1", "blåbær"])
def test_credentials_that_cannot_travel_in_a_header_are_refused(
    factory: ConnectorFactory, settings: Mapping[str, object], value: str
) -> None:
    assert set(CREDENTIALS[factory.kind]) == factory.secret_fields
    broken = dict.fromkeys(factory.secret_fields, value)
    with pytest.raises(ConfigurationError) as raised:
        factory.connect(settings, broken, mapping(), Environment())
    assert len(raised.value.problems) == len(factory.secret_fields)
    assert not value or value not in str(raised.value)


async def test_connecting_opens_nothing_and_limits_are_known(
    factory: ConnectorFactory, settings: Mapping[str, object]
) -> None:
    connector = factory.connect(settings, CREDENTIALS[factory.kind], mapping(), Environment())
    assert connector.limits.concurrency >= 1
    assert connector.limits.longest_request_life.total_seconds() == 900
    await connector.close()
