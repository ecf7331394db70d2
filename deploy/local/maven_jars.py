"""Programs that come as jars: Maven copies them into `.cache/`, once."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import POLL_SECONDS, Process, Program, ServiceError
from deploy.local.run_folder import RunFolder

CACHE = Path(__file__).resolve().parents[2] / ".cache"
FETCH_SECONDS = 900

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenJars:
    """What `pom` names. `title` and `size` are for people; `folder` is the name in the cache, version included."""

    title: str
    folder: str
    size: str
    pom: Path

    def fetched(self, cache: Path = CACHE) -> bool:
        """The folder appears by a rename at the end of a fetch: when it is there, it is complete."""
        return (cache / self.folder).is_dir()

    async def fetch(self, folder: RunFolder, maven: Path, cache: Path = CACHE, tell: Tell = print) -> Path:
        """The folder of the jars; asks Maven for them only when they are missing. Raises ServiceError."""
        if not self.fetched(cache):
            with self._unfinished(cache) as target:
                await self._copy_jars(folder, maven, target, tell)
                tell(self._keep(target, cache))
        return cache / self.folder

    @contextmanager
    def _unfinished(self, cache: Path) -> Iterator[Path]:
        cache.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="jars-unfinished-", dir=cache))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, unfinished: Path, cache: Path) -> str:
        jars = len(list(unfinished.glob("*.jar")))
        with contextlib.suppress(OSError):  # not empty: another run was faster, and has the same jars
            unfinished.rename(cache / self.folder)
        return f"{self.title}: {jars} {'jar' if jars == 1 else 'jars'}, kept in {cache / self.folder}"

    async def _copy_jars(self, folder: RunFolder, maven: Path, target: Path, tell: Tell) -> None:
        try:
            await self._run_maven(folder, maven, target, tell, offline=False)
        except ServiceError as refused:
            tell(f"Maven could not fetch {self.title}; trying what it has kept on this machine")
            try:
                await self._run_maven(folder, maven, target, tell, offline=True)
            except ServiceError:
                raise refused from None

    async def _run_maven(self, folder: RunFolder, maven: Path, target: Path, tell: Tell, *, offline: bool) -> None:
        name = "maven-offline" if offline else "maven"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        arguments: list[str | Path] = [maven, "-B", *(["-o"] if offline else []), "-f", self.pom, *goal]
        process = folder.start(Program(name=name, arguments=arguments))
        tell(f"Fetching {self.title} with Maven, once ({self.size})")
        counting = asyncio.create_task(_count_jars(process))
        try:
            await process.finished(timeout=FETCH_SECONDS)
        finally:
            counting.cancel()
            await process.kill()
            if sys.stdout.isatty():
                print()


async def _count_jars(process: Process) -> None:
    """One line that counts, on a terminal."""
    while process.running and sys.stdout.isatty():
        jars = process.output().count(".jar (")
        print(f"\r  {jars} jars fetched ", end="", flush=True)
        await asyncio.sleep(10 * POLL_SECONDS)
