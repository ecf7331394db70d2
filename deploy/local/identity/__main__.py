"""The local identity provider as a process: `python -m deploy.local.identity --port 9400 --public-url http://…`."""

import argparse
import asyncio
import signal
from ipaddress import ip_address

from aiohttp import web

from deploy.local.identity.application import Client, Provider, State
from deploy.local.identity.control import Control

SECONDS_TO_FINISH = 0.2
READY = "identity provider ready"


def main() -> None:
    asyncio.run(_serve(_parser().parse_args()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.identity", description=__doc__)
    parser.add_argument("--host", type=_this_machine, default="127.0.0.1", help="an address of this machine alone")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, help="what tests speak to; none without it")
    parser.add_argument("--public-url", required=True, help="of the service that people sign in to")
    parser.add_argument("--client-id", default="accounting-sync")
    parser.add_argument("--client-secret", default="local-use-only")
    parser.add_argument("--audience", default="accounting-sync-api")
    return parser


def _this_machine(host: str) -> str:
    if not ip_address(host).is_loopback:
        raise argparse.ArgumentTypeError("this provider asks for no password, so it listens on this machine alone")
    return host


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    state = State()
    provider = Provider(f"http://{options.host}:{options.port}", _client(options), state)
    runners = [await _listen(provider.application(), options.host, options.port)]
    if options.control_port:
        runners.append(await _listen(Control(state).application(), options.host, options.control_port))
    print(READY, flush=True)
    await stop.wait()
    await asyncio.gather(*(runner.cleanup() for runner in runners))


def _client(options: argparse.Namespace) -> Client:
    url = options.public_url.rstrip("/")
    return Client(
        id=options.client_id,
        secret=options.client_secret,
        audience=options.audience,
        redirect_uris=(f"{url}/sign-in/callback",),
        signed_out_uris=(f"{url}/signed-out",),
    )


async def _listen(app: web.Application, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SECONDS_TO_FINISH)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


if __name__ == "__main__":
    main()
