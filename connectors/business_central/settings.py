"""The configuration of a Business Central connector, as `connectors/README.md` describes it."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from connectors.configuration import Address, ConnectorSettings, allowed_hosts, check_addresses, validated
from connectors.contract import Environment
from connectors.hosts import AllowedHosts

OWN_HOSTS = ("api.businesscentral.dynamics.com", "login.microsoftonline.com")
SCOPE = "https://api.businesscentral.dynamics.com/.default"

EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,29}$")]


class BusinessCentralSettings(ConnectorSettings):
    """Limits: 5 requests at once and 6,000 in 5 minutes a user, a request lives 15 minutes at most
    (Microsoft Learn, "Operational limits for Business Central online")."""

    tenant_id: UUID
    environment: EnvironmentName = "production"
    company_id: UUID
    base_url: Address = "https://api.businesscentral.dynamics.com/v2.0"
    token_url: Address | None = None
    concurrency: int = Field(default=4, ge=1, le=5)
    requests_per_5_minutes: int = Field(default=6000, ge=10, le=1_000_000)
    attach_receipts: StrictBool = False

    @property
    def sign_in_url(self) -> str:
        return self.token_url or f"https://login.microsoftonline.com/{self.tenant_id}/oauth2/v2.0/token"

    @property
    def company_url(self) -> str:
        # Parsed GUIDs and a checked name: nothing of the configuration reaches the path unvalidated.
        environment = f"{self.base_url}/{self.tenant_id}/{self.environment}"
        return f"{environment}/api/v2.0/companies({self.company_id})"


def read_settings(
    settings: Mapping[str, object], environment: Environment
) -> tuple[BusinessCentralSettings, AllowedHosts]:
    """Raises `ConfigurationError`."""
    read = validated(BusinessCentralSettings, settings)
    hosts = allowed_hosts(OWN_HOSTS, environment)
    check_addresses(hosts, {"base_url": read.base_url, "token_url": read.sign_in_url})
    return read, hosts
