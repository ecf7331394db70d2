"""Microsoft Dynamics 365 Business Central. `factory` is what the entry point names."""

from collections.abc import Mapping

from connectors.account_mapping import AccountMapping
from connectors.business_central.connector import BusinessCentralConnector
from connectors.business_central.settings import read_settings
from connectors.configuration import check_credentials
from connectors.contract import AccountingConnector, ConnectorFactory, ConnectorKind, Environment
from connectors.pacing import Pace, SharedPaces

_FIVE_MINUTES = 300.0
MOST_AT_ONCE = 5
"""Requests of one user, whichever organisations share it (Microsoft Learn, "Operational limits for Business Central
online"). How many of them an organisation may have is `concurrency`."""


class _Factory:
    kind = ConnectorKind("business_central")
    title = "Business Central"
    secret_fields = frozenset({"client_id", "client_secret"})
    ledger_fields = frozenset({"tenant_id", "environment", "company_id"})

    def __init__(self) -> None:
        self._paces = SharedPaces(_pace)

    def validate(self, settings: Mapping[str, object], environment: Environment) -> None:
        read_settings(settings, environment)

    def connect(
        self,
        settings: Mapping[str, object],
        credentials: Mapping[str, str],
        mapping: AccountMapping,
        environment: Environment,
    ) -> AccountingConnector:
        read, hosts = read_settings(settings, environment)
        check_credentials(credentials, self.secret_fields)
        user = [str(read.tenant_id), credentials["client_id"].lower()]  # whichever of its secrets it signs in with
        pace = self._paces.of(user, read.requests_per_5_minutes, MOST_AT_ONCE)
        return BusinessCentralConnector(read, credentials, mapping, hosts, pace)


def _pace(requests: int, concurrency: int) -> Pace:
    return Pace(requests=requests, seconds=_FIVE_MINUTES, concurrency=concurrency)


factory: ConnectorFactory = _Factory()
