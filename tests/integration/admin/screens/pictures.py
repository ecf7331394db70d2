"""`make pictures`: each screen as a picture for the README. No test by its name, so that `make test` leaves it out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser

from tests.admin import Admin, global_admin
from tests.integration.admin.screens.furnished import furnish

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOLDER = Path(__file__).parents[4] / "worker/admin/pictures"


@dataclass(frozen=True)
class Picture:
    name: str
    address: str
    language: str = "nb"
    scheme: Literal["light", "dark"] = "light"
    width: int = 1120


PICTURES = [
    Picture("management", "/organizations"),
    Picture("settings-on", "/organizations/hlf"),
    Picture("settings-off", "/organizations/blindeforbundet", language="en"),
    Picture(
        "switch-on",
        "/organizations/blindeforbundet/connector/switch?connector=business_central&enabled=on",
    ),
    Picture("switch-off", "/organizations/hlf/connector/switch?connector=xledger&enabled=off", language="en"),
    Picture("reimbursements", "/organizations/hlf/reimbursements"),
    Picture("unknown-outcome", "/organizations/hlf/reimbursements/R-unknown", language="en"),
    Picture("run", "/organizations/hlf/sync-runs/{run}"),
    Picture("log", "/organizations/hlf/sync-log"),
    Picture("dark", "/organizations/hlf", scheme="dark"),
    Picture("narrow", "/organizations", width=320),
]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
async def test_picture(admin: Admin, browser: Browser, picture: Picture) -> None:
    run = await furnish(admin.scene, "Opplæringen er ferdig")
    await admin.count()
    page = await browser.new_page(
        viewport={"width": picture.width, "height": 700},
        color_scheme=picture.scheme,
        extra_http_headers={"Authorization": f"Bearer {global_admin()}", "Accept-Language": picture.language},
    )
    await page.goto(admin.url + picture.address.format(run=run))
    FOLDER.mkdir(exist_ok=True)
    await page.screenshot(path=FOLDER / f"{picture.name}.png", full_page=True)
    await page.close()
