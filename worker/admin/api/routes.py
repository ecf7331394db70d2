"""Every route of the API, under `/api/v1`."""

from fastapi import APIRouter

from worker.admin.api import organizations

router = APIRouter(prefix="/api/v1")
router.include_router(organizations.router)
