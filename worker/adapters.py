"""Adapters made from the stored configuration: the registry of kinds, and one connector for each lane."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.account_mapping import AccountMapping
from connectors.contract import AccountingConnector, Attaching, ConfigurationError, ConnectorFactory, Environment
from connectors.mapping import validate_mapping
from worker.progress import Pulse
from worker.store import connectors
from worker.store.connectors import Configuration
from worker.store.database import Connection
from worker.vault import Vault
from worker.watched_connector import WatchedConnector


@dataclass(frozen=True, slots=True)
class Adapter:
    """A connector with the configuration it was made from. `attaching` is its other half, where receipts are wanted."""

    kind: str
    version: int
    connector: AccountingConnector
    mapping: AccountMapping
    time_zone: str
    attaching: Attaching | None = None


class Adapters:
    """Makes adapters. Decrypted credentials live in the adapter alone."""

    def __init__(
        self,
        factories: Mapping[str, ConnectorFactory],
        vault: Vault,
        environment: Environment,
        pulse: Pulse | None = None,
    ) -> None:
        """`pulse` watches the calls of every connector that is made here."""
        self.factories = factories
        self.environment = environment
        self._vault = vault
        self._pulse = pulse or Pulse()

    def factory(self, kind: str) -> ConnectorFactory:
        """Raises ConfigurationError for a kind that is not installed."""
        if kind not in self.factories:
            known = ", ".join(sorted(self.factories))
            raise ConfigurationError([f"There is no {kind} connector. Use one of: {known}."])
        return self.factories[kind]

    async def make(self, connection: Connection, organization_id: str, kind: str) -> Adapter:
        """Raises ConfigurationError or VaultError where the configuration can't work."""
        configuration = await connectors.read_configuration(connection, organization_id, kind)
        if configuration is None:
            raise ConfigurationError([f"No {kind} connector is configured for {organization_id}. Configure it first."])
        secrets = await connectors.read_secrets(connection, organization_id, kind)
        return self._adapter(organization_id, configuration, self._vault.unlock(organization_id, kind, secrets))

    def _adapter(self, organization_id: str, configuration: Configuration, credentials: Mapping[str, str]) -> Adapter:
        mapping = validate_mapping(configuration.mapping)
        connector = self.factory(configuration.kind).connect(
            configuration.settings, credentials, mapping, self.environment
        )
        watched = WatchedConnector(connector, organization_id, self._pulse)
        attaching = connector if isinstance(connector, Attaching) and connector.attaches_receipts else None
        return Adapter(configuration.kind, configuration.version, watched, mapping, configuration.time_zone, attaching)
