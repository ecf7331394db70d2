"""Configuration files, as `connector configure --file` takes them, that point at a sandbox."""

from collections.abc import Mapping

from deploy.local.sandboxes.client import SandboxProcess

SAMPLE_MAPPING: Mapping[str, object] = {
    "expense_types": {"travel": {"account": "7140", "tax_code": "0"}, "meals": {"account": "7150"}},
    "claimants": {"from": "number"},
    "counter_account": "2930",
    "dimensions": {"department": "AVD"},
}
_UNHURRIED = 100_000
"""Requests a period: the sandboxes of the local stack don't ration theirs unless they are told to."""


def configuration(erp: SandboxProcess, **more: object) -> dict[str, object]:
    """For the first tenant of the sandbox; `more` adds or replaces fields."""
    own = _xledger(erp) if erp.erp == "xledger" else _business_central(erp)
    return {**own, "mapping": dict(SAMPLE_MAPPING), **more}


def allowed_host(erp: SandboxProcess) -> str:
    """The sandbox as SYNC_ERP_ALLOWED_HOSTS names it."""
    return erp.url.removeprefix("http://")


def _xledger(erp: SandboxProcess) -> dict[str, object]:
    return {
        "base_url": f"{erp.url}/graphql",
        "credentials": {"token": erp.tenants.xledger[0].token},
        "requests_per_5_seconds": _UNHURRIED,
        "check_after_seconds": 0.1,
    }


def _business_central(erp: SandboxProcess) -> dict[str, object]:
    tenant = erp.tenants.business_central[0]
    return {
        "tenant_id": str(tenant.tenant_id),
        "environment": tenant.environment,
        "company_id": str(tenant.company_id),
        "base_url": f"{erp.url}/v2.0",
        "token_url": f"{erp.url}/{tenant.tenant_id}/oauth2/v2.0/token",
        "credentials": {"client_id": tenant.client_id, "client_secret": tenant.client_secret},
        "requests_per_5_minutes": _UNHURRIED,
    }
