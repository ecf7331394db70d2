"""Every curated record through the real broker: what is refused is kept and told, what is accepted is posted literally,
and neither stops its neighbours. What a record says never reaches a log, a metric or a dead letter's detail."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiokafka import ConsumerRecord
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from connectors.erp_text import one_line, utf16_units
from deploy.local.sandboxes.faults import Action, FaultRule
from schemas.approval import AcceptedApproval, ReimbursementApproved
from schemas.record import read_record
from tests import odd_names
from tests.events import Message, approval, toggle
from tests.integration.sandboxes.clients import XledgerClient
from tests.odd_names import AS_READ, OddName
from tests.scene import Scene, fresh
from tests.unit.bad_records import CURATED_RECORDS, CuratedRecord

pytestmark = pytest.mark.asyncio(loop_scope="session")

Place = tuple[str, int, int]

REFUSED = [record for record in CURATED_RECORDS if record.expected]
ACCEPTED = [record for record in CURATED_RECORDS if not record.expected and record.topic == "approvals"]
LONGEST_TEXT = 100
MEASURES: Mapping[str, Callable[[str], int]] = {"xledger": len, "business_central": utf16_units}
TOO_MANY_FOR_XLEDGER = "R-500"
"""Its lines: Xledger takes 499 in one voucher."""


async def publish(scene: Scene, records: list[CuratedRecord]) -> dict[Place, CuratedRecord]:
    """Where on the broker each record came to stand."""
    topics = {"approvals": scene.settings.approvals_topic, "toggles": scene.settings.toggles_topic}
    sent = [
        await scene.producer.send(
            topics[record.topic], key=record.key, value=record.value, headers=list(record.headers), partition=0
        )
        for record in records
    ]
    stood = await asyncio.gather(*sent)
    return {(at.topic, at.partition, at.offset): record for at, record in zip(stood, records, strict=True)}


def with_own_event_ids(records: tuple[CuratedRecord, ...]) -> list[CuratedRecord]:
    """The corpus gives every toggle the same id, which would make conflicts of them."""
    return [
        replace(
            record,
            headers=tuple(
                (name, b"e-%d" % at if name == "ce_id" and value else value) for name, value in record.headers
            ),
        )
        if record.topic == "toggles"
        else record
        for at, record in enumerate(records)
    ]


def among_neighbours(records: list[CuratedRecord], neighbours: list[str]) -> list[CuratedRecord]:
    """A good approval after every tenth record."""
    mixed: list[CuratedRecord] = []
    for at, record in enumerate(records):
        mixed.append(record)
        if at % 10 == 0:
            message = approval(neighbours[at // 10])
            mixed.append(CuratedRecord("neighbour", message.key, message.value, tuple(message.headers), None))
    return mixed


def content_of(record: CuratedRecord) -> ReimbursementApproved:
    content = read_record("approvals", record.key, record.value, record.headers)
    assert isinstance(content, AcceptedApproval)
    return ReimbursementApproved.from_canonical(content.content)


@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_every_curated_record_is_refused_for_its_reason_or_posted_to_the_letter_and_stops_no_other(
    scene: Scene, kind: str
) -> None:
    corpus = with_own_event_ids(CURATED_RECORDS)
    neighbours = fresh((len(corpus) + 9) // 10)
    await scene.organization("hlf", kind)
    approvals = [content_of(record) for record in ACCEPTED]
    posted = [one for one in approvals if not (kind == "xledger" and one.reimbursement_id == TOO_MANY_FOR_XLEDGER)]
    async with scene.worker():
        stood = await publish(scene, among_neighbours(corpus, neighbours))
        await scene.all_read()
        await scene.switch(True, kind=kind)
        await scene.all_synced(*neighbours, *[one.reimbursement_id for one in posted])
        await scene.nothing_to_publish()
    await scene.everything_is_accounted_for()
    await _refused_are_kept_and_told(scene, {place: record for place, record in stood.items() if record.expected})
    for one in posted:
        await _is_posted_to_the_letter(scene, one, kind)
    if kind == "xledger":
        assert (await scene.item(TOO_MANY_FOR_XLEDGER))["reason_code"] == "too_many_lines"


async def _refused_are_kept_and_told(scene: Scene, refused: dict[Place, CuratedRecord]) -> None:
    rows = await scene.fetch("select * from dead_letter")
    kept = {(row["topic"], row["partition"], row["kafka_offset"]): row for row in rows}
    told = {_place_told(letter): letter for letter in await scene.published(scene.settings.dead_letter_topic)}
    assert {place: row["reason"] for place, row in kept.items()} == {
        place: record.expected for place, record in refused.items()
    }
    assert told.keys() == refused.keys()
    for place, record in refused.items():
        letter, row = told[place], kept[place]
        assert (row["key"], row["value"], letter.key, letter.value) == (record.key, record.value) * 2, record.name
        assert tuple(letter.headers)[: len(record.headers)] == record.headers, record.name
        added = dict(letter.headers)
        assert (added["dl_reason"].decode(), added["dl_detail"].decode()) == (row["reason"], row["detail"])
        assert row["detail"]


def _place_told(letter: ConsumerRecord) -> Place:
    headers = dict(letter.headers)
    return headers["dl_topic"].decode(), int(headers["dl_partition"]), int(headers["dl_offset"])


async def _is_posted_to_the_letter(scene: Scene, one: ReimbursementApproved, kind: str) -> None:
    (document,) = await scene.documents("hlf", one.reimbursement_id, kind=kind)
    assert (document.total, document.vendor) == (one.total, one.claimant.number), one.reimbursement_id
    assert [(line.amount, line.text) for line in document.lines] == [
        (line.amount, one_line(line.description or line.expense_type, LONGEST_TEXT, MEASURES[kind]))
        for line in one.lines
    ]
    if kind == "xledger":
        async with aiohttp.ClientSession() as http:
            wanted = f'{{invoiceNumber: "{document.reference}"}}'
            (row,) = await XledgerClient(scene.erps[kind], http).nodes("apTransactions", "text", wanted)
        assert row["text"] == one_line(one.description or one.reimbursement_id, LONGEST_TEXT)


@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_odd_text_arrives_in_the_lines_of_the_erp_to_the_letter(scene: Scene, kind: str) -> None:
    texts = sorted({content_of(record).description for record in ACCEPTED} - {"", "Peer meeting"})
    (name,) = fresh(1)
    lines = [
        {
            "line_id": str(at),
            "expense_type": "travel",
            "expense_date": "2026-11-03",
            "amount": "1.00",
            "description": text,
        }
        for at, text in enumerate(texts)
    ]
    await scene.organization("hlf", kind)
    await scene.switch(True, kind=kind)
    async with scene.worker():
        await scene.approve(approval(name, total=f"{len(texts)}.00", lines=lines))
        await scene.all_synced(name)
    (document,) = await scene.documents("hlf", name, kind=kind)
    assert [line.text for line in document.lines] == [one_line(text, LONGEST_TEXT, MEASURES[kind]) for text in texts]


CANARY = "Kanarifugl-7f3a"
AMOUNT = "7391.17"


def _telling(name: str, **changes: Any) -> Message:
    """An approval full of what may not be repeated."""
    line = {
        "line_id": "1",
        "expense_type": "travel",
        "expense_date": "2026-11-03",
        "amount": AMOUNT,
        "description": f"{CANARY} line",
    }
    usual: dict[str, Any] = {"total": AMOUNT, "description": f"{CANARY} meeting", "lines": [line], "note": CANARY}
    return approval(name, **(usual | changes))


def _telling_bad_ones() -> list[Message]:
    good = json.loads(_telling("R-bad").value or b"")
    line = good["lines"][0]
    changes: list[dict[str, object]] = [
        {"currency": CANARY},
        {"total": f"{AMOUNT}{CANARY}"},
        {"total": AMOUNT + "1"},
        {"approved_at": CANARY},
        {"approved_by": f"{CANARY} Nordmann"},
        {"claimant": {"id": f"{CANARY} Nordmann"}},
        {"claimant": {"id": "peer", "number": f"{CANARY}\n"}},
        {"reimbursement_id": f"{CANARY} "},
        {"organization_id": f"{CANARY}/"},
        {"description": f"{CANARY}\x00"},
        {"lines": [line, line]},
        {"lines": [{**line, "dimensions": {f"{CANARY} x": "1", "department": 3}}]},
        {"lines": [{**line, "amount": f"-{AMOUNT}"}]},
        {"lines": CANARY},
    ]
    headers = _telling("R-bad").headers
    messages = [Message(b"hlf", json.dumps(good | change).encode(), headers) for change in changes]
    broken = [Message(b"hlf", f'{{"description": "{CANARY}", {CANARY}'.encode(), headers)]
    keys = [Message(CANARY.encode(), json.dumps(good).encode(), headers)]
    types = [("ce_type", CANARY.encode()), *[pair for pair in headers if pair[0] != "ce_type"]]
    odd_type = [Message(b"hlf", json.dumps(good).encode(), types)]
    odd_headers = [Message(b"hlf", json.dumps(good).encode(), [(CANARY, CANARY.encode())])]
    return [*messages, *broken, *keys, *odd_type, *odd_headers]


@pytest.mark.promise("P11")
async def test_no_name_amount_or_free_text_reaches_a_log_a_metric_or_an_error_message(
    scene: Scene, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    first, *names = fresh(6)
    kind = "business_central"
    erp = scene.erps[kind]
    await scene.organization("hlf", kind, concurrency=1)
    refusing = FaultRule(
        action=Action.REFUSE_BEFORE,
        kind="create_invoice",
        nth=1,
        status=400,
        code="Internal",
        message=f"The text '{CANARY} line' in '{CANARY} meeting' is not allowed.",
    )
    faults = [
        FaultRule(action=Action.HTML, kind="create_invoice", nth=2),
        FaultRule(action=Action.CUT_AFTER, kind="create_invoice", nth=3),
        FaultRule(action=Action.REFUSE_BEFORE, kind="create_invoice", nth=4),
    ]
    await erp.set_faults(refusing, *faults)
    bad = _telling_bad_ones()
    with capture_logs() as logs, caplog.at_level("WARNING"):
        async with scene.worker():
            await scene.switch(True, kind=kind)
            await scene.approve(*[_telling(name) for name in (first, *names)], _telling(first, description=CANARY * 2))
            await scene.approve(*bad)
            await scene.toggle(toggle(True, connector=CANARY), toggle(True, actor={"id": CANARY, "role": CANARY}))
            await scene.all_read()
            await scene.all_synced(*names)
            await scene.nothing_to_publish()
    assert (await scene.states())[first] == "rejected"
    outcomes = [[outcome for _, _, outcome in await scene.history(name)] for name in names[:2]]
    assert outcomes == [["unknown", "posted"], ["unknown", "posted"]]
    assert await scene.value("select count(*) from dead_letter") == len(bad) + 3
    said = {
        "logs": [str(entry) for entry in logs],
        "library logs": [record.getMessage() + str(record.exc_info) for record in caplog.records],
        "output": [*capfd.readouterr()],
        "metrics": [generate_latest().decode()],
        "details": [row["detail"] for row in await scene.fetch("select detail from dead_letter")],
        "reasons": [str(row["reason"]) for row in await scene.fetch("select reason from item")],
        "history": [str(row["detail"]) for row in await scene.fetch("select detail from attempt_entry")],
        "letters": [
            str(dict(letter.headers)["dl_detail"]) for letter in await scene.published(scene.settings.dead_letter_topic)
        ],
    }
    for secret in (CANARY, AMOUNT, AMOUNT.replace(".", "")):
        assert {where: [text for text in texts if secret in text] for where, texts in said.items()} == {
            where: [] for where in said
        }


async def test_a_dead_letter_that_its_topic_does_not_take_is_told_without_its_value(scene: Scene) -> None:
    before, after = fresh(2)
    large = Message(b"hlf", b"\x00" * (2 * 1024 * 1024), approval("R-large").headers)
    await scene.limit_messages(scene.settings.dead_letter_topic, 1024 * 1024)
    async with scene.worker():
        await scene.approve(approval(before), large, Message(b"hlf", b"{", approval("R-bad").headers), approval(after))
        await scene.all_read()
        await scene.nothing_to_publish()
    letters = await scene.published(scene.settings.dead_letter_topic)
    by_reason = {dict(letter.headers)["dl_reason"]: letter for letter in letters}
    assert by_reason.keys() == {b"too_large", b"invalid_json"}
    assert by_reason[b"too_large"].value is None
    assert dict(by_reason[b"too_large"].headers)["dl_value_omitted"] == b"true"
    assert await scene.value("select octet_length(value) from dead_letter where reason = 'too_large'") == len(
        large.value or b""
    )


@pytest.mark.promise("P1")
async def test_a_header_name_that_is_not_utf_8_stops_neither_its_record_nor_its_neighbours(scene: Scene) -> None:
    before, odd, after = fresh(3)
    refused = Message(b"hlf", b"{", [*approval("R-bad").headers, (OddName(), b"x")])
    with_odd_name = replace(approval(odd), headers=[*approval(odd).headers, (OddName(), b"x")])
    await scene.organization("hlf", "xledger")
    await scene.switch(True)
    async with scene.worker():
        await odd_names.send(
            scene.producer, scene.settings.approvals_topic, [approval(before), with_odd_name, refused, approval(after)]
        )
        await scene.all_read()
        await scene.all_synced(before, odd, after)
        await scene.nothing_to_publish()
    (letter,) = await scene.published(scene.settings.dead_letter_topic)
    assert letter.value == refused.value
    assert dict(letter.headers)[AS_READ] == b"x"
