"""Talking to Xledger: one address, one token, within the pace. Everything is a POST; the text says what it is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from connectors.contract import NotSent, Permit, Unavailable
from connectors.hosts import AllowedHosts
from connectors.http import HttpClient, Request, Timeouts, Uncertain, json_body
from connectors.pacing import Pace
from connectors.xledger.answers import Reply, read_reply, refused_query
from connectors.xledger.courier import Inputs
from connectors.xledger.queries import ADD_VOUCHERS
from connectors.xledger.settings import XledgerSettings

Clock = Callable[[ZoneInfo], datetime]


class XledgerApi:
    """`pace` may be shared with other organisations. `now` gives the time in a zone."""

    def __init__(self, settings: XledgerSettings, token: str, hosts: AllowedHosts, pace: Pace, now: Clock) -> None:
        self._address = settings.base_url
        self._zone = ZoneInfo(settings.time_zone)
        self._token = SecretStr(token)
        self._pace = pace
        self._now = now
        timeouts = Timeouts(read=settings.read_timeout_seconds, total=settings.read_timeout_seconds * 2)
        self._http = HttpClient(hosts, timeouts, connections=settings.concurrency)

    def now(self) -> datetime:
        """In the organisation's time zone."""
        return self._now(self._zone)

    async def query(self, text: str, variables: Mapping[str, object]) -> Mapping[str, object] | NotSent | Unavailable:
        """The answer's `data`. Reads change nothing, so that doubt is `NotSent`."""
        async with self._pace:
            reply = await self._exchange(text, variables, None)
        if isinstance(reply, Uncertain):
            return NotSent(f"Xledger could not be read: {reply.evidence}.")
        if not isinstance(reply, Reply):
            return reply
        return refused_query(reply, self.now()) or reply.data

    async def add_vouchers(self, inputs: Inputs, permit: Permit) -> Reply | NotSent | Unavailable | Uncertain:
        """Whoever calls keeps to the pace."""
        return await self._exchange(ADD_VOUCHERS, {"inputs": inputs}, permit)

    async def close(self) -> None:
        await self._http.close()

    async def _exchange(
        self, text: str, variables: Mapping[str, object], permit: Permit | None
    ) -> Reply | NotSent | Unavailable | Uncertain:
        # "Bearer" is refused: Xledger's scheme is called "token".
        headers = {
            "Authorization": f"token {self._token.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        body = json_body({"query": text, "variables": variables})
        return read_reply(await self._http.send(Request("POST", self._address, headers, body), permit))
