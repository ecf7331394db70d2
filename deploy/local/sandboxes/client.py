"""A sandbox from the outside: starts it, tells its control port what to do, and stops it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from deploy.local.sandboxes.faults import RULES, FaultRule
from deploy.local.sandboxes.ledger import LedgerLine, read_ledger
from deploy.local.sandboxes.tenants import Tenants, sample_tenants

Erp = Literal["business_central", "xledger"]

_REPOSITORY = Path(__file__).resolve().parents[3]
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 5


class SandboxProcess:
    """`async with SandboxProcess("xledger", ledger=path) as erp:`. `url` is the ERP's, without a path.

    Limits are off unless asked for. The process has a group of its own and dies with this one.
    """

    def __init__(
        self,
        erp: Erp,
        *,
        ledger: Path,
        tenants: Tenants | None = None,
        limits: Literal["documented", "off"] = "off",
        latency_ms: float = 0,
        time_scale: float = 1.0,
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        self.erp = erp
        self.ledger_file = ledger
        self.tenants = tenants or sample_tenants()
        self._arguments = [
            "--limits",
            limits,
            "--latency-ms",
            str(latency_ms),
            "--time-scale",
            str(time_scale),
        ]
        self._arguments += ["--port", str(ports[0]), "--control-port", str(ports[1])]
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""
        self.control_url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        return self._running().pid

    async def start(self) -> None:
        """Raises `RuntimeError` where the process ends before it is ready; what it says is on stderr."""
        tenants_file = self.ledger_file.with_suffix(".tenants.json")
        tenants_file.write_text(self.tenants.model_dump_json(), "utf-8")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"deploy.local.sandboxes.{self.erp}", *self._arguments),
            *(
                "--ledger",
                str(self.ledger_file),
                "--tenants",
                str(tenants_file),
                "--die-with",
                str(os.getpid()),
            ),
            cwd=_REPOSITORY,
            stdout=PIPE,
            process_group=0,
        )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise
        self._session = aiohttp.ClientSession(base_url=self.control_url)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._process is not None:
            await _end(self._process)
            self._process = None

    async def kill(self) -> None:
        """SIGKILL, as a power cut; the ledger file stays."""
        self._running().kill()
        await self.stop()

    async def ledger(self) -> list[LedgerLine]:
        return await self.wait_ledger(0)

    async def wait_ledger(self, at_least: int, timeout: float = 30) -> list[LedgerLine]:
        """Raises `TimeoutError` where the lines don't come in time."""
        answer = await self._get("/ledger", at_least=at_least, timeout=timeout)
        return [LedgerLine.model_validate(line) for line in answer["lines"]]

    def ledger_on_disk(self) -> list[LedgerLine]:
        """Also when the process is gone."""
        return read_ledger(self.ledger_file)

    async def requests(self) -> Mapping[str, int]:
        """All requests that arrived, by kind, refused ones too."""
        by_kind: Mapping[str, int] = (await self._get("/requests"))["by_kind"]
        return by_kind

    async def requests_at_the_door(self) -> tuple[int, int]:
        """All requests that arrived, whatever their kinds; and how many the limits or the credentials turned away."""
        counted = await self._get("/requests")
        return counted["total"], counted["refused_at_the_door"]

    async def wait_requests(self, kind: str, at_least: int, timeout: float = 30) -> int:
        count: int = (await self._get("/requests", kind=kind, at_least=at_least, timeout=timeout))["by_kind"][kind]
        return count

    async def set_faults(self, *rules: FaultRule) -> None:
        """Replaces all rules; without any, clears them."""
        await self._post("/faults", RULES.dump_python(list(rules), mode="json"))

    async def struck(self) -> list[int]:
        """How often each rule has struck, in the rules' order."""
        return [rule["struck"] for rule in (await self._get("/faults"))["rules"]]

    async def hold(self, kinds: Sequence[str] = ()) -> None:
        await self._post("/hold", {"kinds": list(kinds)})

    async def wait_held(self, at_least: int, timeout: float = 30) -> int:
        held: int = (await self._get("/held", at_least=at_least, timeout=timeout))["held"]
        return held

    async def release(self) -> None:
        await self._post("/release", {})

    async def set_limits(self, **limits: float | None) -> None:
        """Some of the fields of `Limits`, or of the ERP's own; those not named keep their value, counting
        starts anew."""
        await self.change_settings(limits=limits)

    async def change_settings(self, **settings: object) -> None:
        await self._post("/settings", settings)

    async def _until_ready(self, process: Process) -> None:
        if process.stdout is None:
            raise RuntimeError("The process was started without a pipe for its ready line.")
        line = await asyncio.wait_for(process.stdout.readline(), _SECONDS_TO_START)
        if not line:
            raise RuntimeError(f"The {self.erp} sandbox ended before it was ready.")
        ready = json.loads(line)["ready"]
        self.url, self.control_url = ready["url"], ready["control_url"]

    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"The {self.erp} sandbox is not running.")
        return self._process

    async def _get(self, path: str, **query: str | float) -> Any:  # JSON whose shape the asking method knows
        params = {name: str(value) for name, value in query.items()}
        async with self._control().get(path, params=params) as response:
            await _check(response)
            return await response.json()

    async def _post(self, path: str, body: object) -> None:
        async with self._control().post(path, json=body) as response:
            await _check(response)

    def _control(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError(f"The {self.erp} sandbox is not running.")
        return self._session


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status == HTTPStatus.GATEWAY_TIMEOUT:
        raise TimeoutError("The sandbox did not see that signal in time.")
    if not response.ok:
        raise ValueError(f"The sandbox's control refused it: {await response.text()}")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _SECONDS_TO_STOP)
    except TimeoutError:
        process.kill()
        await process.wait()
