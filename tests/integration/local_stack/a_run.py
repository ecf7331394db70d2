"""A program that holds services until it is ended; `python -m tests.integration.local_stack.a_run run|test`.

Prints `up {"folder", "ports", "pids"}` once all is usable.
"""

import asyncio
import json
import sys
from typing import cast

import psutil

from deploy.local.choice import Purpose
from deploy.local.services import Services


async def main(purpose: Purpose) -> None:
    async with Services.start(purpose, topics={"a": 1}) as services:
        children = psutil.Process().children(recursive=True)
        addresses = (services.bootstrap_servers, services.database_url.rpartition("@")[2].partition("/")[0])
        up = {
            "folder": str(services.folder.path),
            "ports": [int(address.rpartition(":")[2]) for address in addresses],
            "pids": [child.pid for child in children],
        }
        sys.stdout.write(f"up {json.dumps(up)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(cast("Purpose", sys.argv[1])))
