"""`contracts export`: other teams get the very files that are published here, and keep their own."""

from pathlib import Path

import pytest

from schemas.publish import PUBLISHED
from tests.integration.cli.command import CommandLine

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}


async def test_the_published_files_are_written_and_others_are_left_alone(tmp_path: Path) -> None:
    sync = CommandLine(tmp_path, {})
    (tmp_path / "contracts").mkdir()
    own = tmp_path / "contracts" / "package.json"
    own.write_text("{}", encoding="utf-8")
    answer = await sync("contracts", "export", "contracts", "--json")
    assert (answer.status, answer.err) == (0, "")
    assert answer.json == {"written": sorted(_texts(PUBLISHED))}
    assert _texts(tmp_path / "contracts") == {**_texts(PUBLISHED), "package.json": "{}"}


async def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    answer = await CommandLine(tmp_path, {})("contracts", "export", "taken")
    assert answer.status == 1
    assert answer.err.endswith("Name another one.\n")
    assert len(answer.err.splitlines()) == 1
