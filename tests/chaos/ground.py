"""What all runs stand on, started once: the services, both sandboxes with a tenant for each house, and the nursery."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from deploy.local.run_folder import RunFolder
from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.sandboxes.tenants import BusinessCentralTenant, Tenants, XledgerTenant, sample_tenants
from deploy.local.services import Services
from tests.chaos.nursery import Nursery

LONGEST_REQUEST_LIFE = 900.0
QUARANTINE_SECONDS = 2
"""What the connectors of a run are told instead of the 900 s."""
TIME_SCALE = QUARANTINE_SECONDS / LONGEST_REQUEST_LIFE
"""A request that an ERP applies 900 s late, the longest there is, is applied just before the quarantine is over."""
LATENCY_MS = 8.0
TENANTS_EACH = 40
IMPORT_DELAY = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """`folder` takes logs and further programs."""

    services: Services
    erps: Mapping[str, SandboxProcess]
    nursery: Nursery
    folder: RunFolder

    @classmethod
    @asynccontextmanager
    async def open(cls, services: Services) -> AsyncIterator[Self]:
        async with (
            RunFolder.open() as folder,
            _sandbox("xledger", folder) as xledger,
            _sandbox("business_central", folder) as central,
        ):
            await xledger.change_settings(import_delay=IMPORT_DELAY)
            nursery = Nursery(folder.path)
            try:
                yield cls(services, {"xledger": xledger, "business_central": central}, nursery, folder)
            finally:
                await nursery.clear()


def _sandbox(erp: Erp, folder: RunFolder) -> SandboxProcess:
    return SandboxProcess(
        erp,
        ledger=folder.path / f"{erp}.jsonl",
        tenants=_tenants(),
        latency_ms=LATENCY_MS,
        time_scale=TIME_SCALE,
    )


def _tenants() -> Tenants:
    sample = sample_tenants()
    numbers = range(1, TENANTS_EACH + 1)
    xledger = [_like_xledger(sample.xledger[0], number) for number in numbers]
    central = [_like_central(sample.business_central[0], number) for number in numbers]
    return Tenants(tenants=(*xledger, *central))


def _like_xledger(sample: XledgerTenant, number: int) -> XledgerTenant:
    return sample.model_copy(update={"organization": f"x{number}", "token": f"token-of-x{number}"})


def _like_central(sample: BusinessCentralTenant, number: int) -> BusinessCentralTenant:
    own = {"organization": f"b{number}", "client_id": f"client-{number}", "client_secret": f"secret-{number}"}
    return sample.model_copy(update={**own, "tenant_id": UUID(int=number), "company_id": UUID(int=100 + number)})


def house_settings(erp: SandboxProcess, place: int) -> tuple[str, dict[str, object]]:
    """The tenant at this place (from 0) and the connector's settings for it, in addition to the sandbox's own."""
    if erp.erp == "xledger":
        xledger = erp.tenants.xledger[place]
        return xledger.organization, {"credentials": {"token": xledger.token}}
    central = erp.tenants.business_central[place]
    return central.organization, {
        "tenant_id": str(central.tenant_id),
        "company_id": str(central.company_id),
        "token_url": f"{erp.url}/{central.tenant_id}/oauth2/v2.0/token",
        "credentials": {"client_id": central.client_id, "client_secret": central.client_secret},
    }
