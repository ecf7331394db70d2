"""What an adapter is: an `AccountingConnector` that takes a `Posting` and answers with an outcome value.

An adapter raises only for bugs. Everything an ERP or a network can do is one of the outcomes below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NewType, Protocol, runtime_checkable

from connectors.account_mapping import AccountMapping

ConnectorKind = NewType("ConnectorKind", str)
"""`xledger`, `business_central`, … Open, since an ERP is added by adding a folder and an entry point."""


@dataclass(frozen=True, slots=True)
class PostingLine:
    """One debit line. `amount` is above zero, in the document's currency; `dimensions` is ERP dimension
    code → value."""

    account: str
    amount: Decimal
    text: str
    tax_code: str | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posting:
    """An approved reimbursement in the words of the organisation's ledger.

    `reference` is unique for ever over all organisations, at most 35 characters, and deterministic from the item.
    `posting_date` is the day to book on, in the organisation's time zone. With `moves_to_open_period` the ERP's adapter
    books on the first open day from then on, which only the ERP knows; the text then says which day it was.
    The lines add up to `total`, which is owed to `claimant` (the ERP's supplier or vendor) on `counter_account`.
    `attempt` counts from 1; above 1 the adapter first looks for what an earlier attempt may have left at the ERP.
    """

    reference: str
    claimant: str
    currency: str
    total: Decimal
    document_date: date
    posting_date: date
    text: str
    counter_account: str | None
    lines: Sequence[PostingLine]
    moves_to_open_period: bool = False
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """What the ERP made of a posting: the number a bookkeeper searches for, the ERP's own key, and a link
    where there is one."""

    number: str
    erp_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """The ERP has it and says which document."""

    document: Document


@dataclass(frozen=True, slots=True)
class Accepted:
    """The ERP took it into a staged import; look again after `check_after`."""

    document: Document
    check_after: timedelta


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly not processed: refused connection, DNS, TLS, 429, 503. `retry_after` is the ERP's own wish,
    where it said one."""

    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The ERP refuses this item: unknown account, closed period, blocked vendor. A person must act."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Refused for every item: credentials, licence, company gone. `reason` says what to renew or restore."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The ERP may or may not have it. `evidence` says what was seen, without quoting content.

    `conflict` is there where the ERP holds another document under the reference: a person has to compare the two, and
    `evidence` says the values of both.
    """

    evidence: str
    conflict: Document | None = None


PostOutcome = Posted | Accepted | NotSent | Rejected | Unavailable | Unknown


@dataclass(frozen=True, slots=True)
class Found:
    """The ERP holds a final document under the reference; total and currency as the ERP states them."""

    document: Document
    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Staged:
    """The reference stands in the ERP's import, neither a document nor refused yet."""

    document: Document


@dataclass(frozen=True, slots=True)
class ImportRefused:
    """The ERP's import refused what the attempt that is asked about sent. What it refused of an earlier one may stand
    there for good, and says nothing of this one: it is as good as absent."""

    document: Document
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The ERP knows nothing under the reference now. A request still on its way may change that."""


Finding = Found | Staged | ImportRefused | Absent


class Attempted(Protocol):
    """What a look-up is about: a reference, and the latest attempt to post it."""

    @property
    def reference(self) -> str: ...

    @property
    def attempt(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """A receipt with its content. `name` is the same at every try, and no other's of the document."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attached:
    """The ERP has the file, whole, once."""


AttachOutcome = Attached | NotSent | Rejected | Unavailable | Unknown
"""`Unknown`: a request may still be applied, so the next try comes once it can't be any more. Everything else may be
tried again at any time, since each try looks first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of `connector test`: what was checked, and what is wrong with it in one sentence."""

    subject: str
    message: str


class Permit(Protocol):
    """Leave to send, ended by the lane's lease. Asked at the last moment before a request that carries a
    reimbursement."""

    def is_valid(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the ERP bears. `concurrency` is requests at once; `longest_request_life` is how long after the
    client gave up a request may still be applied, and how long a document may stay unseen by look-ups.

    `refuses_duplicates`: the ERP itself refuses a second document with the same reference, whenever it comes, so
    sending the same request again is the look-up. `longest_import` is how long a staged import may take before people
    are told.
    """

    concurrency: int
    longest_request_life: timedelta
    refuses_duplicates: bool = False
    longest_import: timedelta = timedelta(hours=1)


class AccountingConnector(Protocol):
    """An organisation's link to one ERP. One instance holds one organisation's credentials and sessions."""

    @property
    def limits(self) -> Limits: ...

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        """Sends one document. A permit that is no longer valid before the first byte gives `NotSent`."""
        ...

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        """What the ERP holds, by reference, in few requests. Each reference is asked about once. Reads only."""
        ...

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        """Signs in, reads the company and what the mapping names. Writes nothing. Empty means ready."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Attaching(Protocol):
    """What a connector may be able to do besides: hang receipts on the documents that it posted."""

    @property
    def attaches_receipts(self) -> bool:
        """Whether the organisation wants it."""
        ...

    async def attach(self, document_id: str, receipt: ReceiptFile, permit: Permit) -> AttachOutcome:
        """Looks for the file first, so that however often it is tried, the document has it once. `document_id` is the
        ERP's own key. A permit that is no longer valid before the first byte gives `NotSent`."""
        ...


class ConfigurationError(Exception):
    """A configuration that can't work: one sentence for each thing that is wrong, without quoting secrets."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Environment:
    """What a connector may know of the process: extra hosts it may talk to, as `host:port`."""

    extra_allowed_hosts: frozenset[str] = frozenset()


class ConnectorFactory(Protocol):
    """What the entry point `accounting_sync.connectors` names: one for each kind of ERP."""

    @property
    def kind(self) -> ConnectorKind: ...

    @property
    def title(self) -> str:
        """The ERP's name as people know it, for sentences: `Business Central`."""
        ...

    @property
    def secret_fields(self) -> frozenset[str]:
        """The keys of `credentials`, all required, each encrypted by itself."""
        ...

    @property
    def ledger_fields(self) -> frozenset[str]:
        """The settings that name the ledger: another value is another ledger, which knows nothing of what the first
        one was sent."""
        ...

    def validate(self, settings: Mapping[str, object], environment: Environment) -> None:
        """Raises `ConfigurationError`. `settings` is the configuration file without `credentials` and `mapping`."""
        ...

    def connect(
        self,
        settings: Mapping[str, object],
        credentials: Mapping[str, str],
        mapping: AccountMapping,
        environment: Environment,
    ) -> AccountingConnector:
        """Makes a connector; opens no connection yet."""
        ...
