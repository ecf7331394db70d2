"""Every route of the API, under `/api/v1`."""

from fastapi import APIRouter, Security

from worker.admin.api import connector, organizations, reimbursements, sync_log, sync_runs
from worker.admin.api.described import BEARER, EVERYWHERE, problems

router = APIRouter(prefix="/api/v1", dependencies=[Security(BEARER)], responses=problems(*EVERYWHERE))
router.include_router(organizations.router)
router.include_router(connector.reads)
router.include_router(connector.switches)
router.include_router(sync_runs.router)
router.include_router(reimbursements.router)
router.include_router(sync_log.router)
