"""A sandbox as a process: options, two listeners on 127.0.0.1, the ready line, SIGTERM."""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from deploy.local.sandboxes.ledger import Ledger
from deploy.local.sandboxes.punctuality import PunctualLoop
from deploy.local.sandboxes.tenants import Tenants, read_tenants, sample_tenants

_SECONDS_TO_FINISH = 0.2
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Options:
    """`latency` in seconds. `time_scale` multiplies the seconds of every fault."""

    port: int
    control_port: int
    ledger: Path
    tenants: Tenants
    latency: float
    limited: bool
    time_scale: float


@dataclass(frozen=True, slots=True)
class Sandbox:
    erp: web.Application
    control: web.Application


Build = Callable[[Options, Ledger], Sandbox]


def main(erp: str, build: Build) -> None:
    arguments = _parser(erp).parse_args()
    if arguments.die_with is not None:
        _die_with(arguments.die_with)
    with asyncio.Runner(loop_factory=PunctualLoop) as runner:
        runner.run(_serve(_options(arguments), build))


def _parser(erp: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m deploy.local.sandboxes.{erp}",
        epilog=f"Example: python -m deploy.local.sandboxes.{erp} --port 0 --ledger /tmp/{erp}.jsonl",
    )
    parser.add_argument("--port", type=int, default=0, help="of the ERP; 0 picks a free one")
    parser.add_argument("--control-port", type=int, default=0, help="of the control; 0 picks a free one")
    parser.add_argument("--ledger", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--tenants", type=Path, help="JSON; without it the sample's tenants")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every request")
    parser.add_argument("--limits", choices=("documented", "off"), default="documented")
    parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies the seconds of every fault")
    parser.add_argument("--die-with", type=int, metavar="PID", help="stop when this parent process is gone")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        port=arguments.port,
        control_port=arguments.control_port,
        ledger=arguments.ledger,
        tenants=read_tenants(arguments.tenants) if arguments.tenants else sample_tenants(),
        latency=arguments.latency_ms / 1000,
        limited=arguments.limits == "documented",
        time_scale=arguments.time_scale,
    )


def _die_with(parent: int) -> None:
    """The kernel tells us of the parent's death, on Linux. It doesn't when that came before the request:
    hence the second look."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


async def _serve(options: Options, build: Build) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ledger = Ledger(options.ledger)
    sandbox = build(options, ledger)
    runners = [web.AppRunner(app, access_log=None, shutdown_timeout=_SECONDS_TO_FINISH) for app in _both(sandbox)]
    url, control_url = [
        await _listen(runner, port) for runner, port in zip(runners, (options.port, options.control_port), strict=True)
    ]
    print(json.dumps({"ready": {"url": url, "control_url": control_url}}), flush=True)
    await stop.wait()
    await asyncio.gather(*(runner.cleanup() for runner in runners))
    ledger.close()


def _both(sandbox: Sandbox) -> tuple[web.Application, web.Application]:
    return sandbox.erp, sandbox.control


async def _listen(runner: web.AppRunner, port: int) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
