"""What is checked: the shipped protocol, and it with one mechanism taken away, each with what must come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.model.tlc import Answer, Check, Constants, Value

SAFE = tuple(check for check in Check if check is not Check.ENDLESS)
"""Everything that one exploration can tell; ENDLESS needs one of its own."""

SHIPPED: Constants = {
    "Dispatchers": "{d1, d2}",
    "Items": "{r1}",
    "MaxAttempts": 4,
    "Faults": 2,
    "Toggles": 3,
    "Mappings": 1,
    "RefusesDuplicates": False,
    "LookUpsLag": True,
    "FlagReread": True,
    "TwoPhaseOff": True,
    "Permit": True,
    "LeaseInClaim": True,
    "Fence": True,
    "Quarantine": True,
    "LookUps": 2,
    "AdapterLooks": True,
    "CountedAbsence": True,
    "SameAgain": True,
    "KeepsDoubt": True,
}
XLEDGER: Constants = {"RefusesDuplicates": False}
BUSINESS_CENTRAL: Constants = {"RefusesDuplicates": True, "MaxAttempts": 6}
TWO_ITEMS: Constants = {"Items": "{r1, r2}", "MaxAttempts": 4, "Faults": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """`changes` to SHIPPED. `breaks`: what TLC must find broken, by a run in which the actions of `story` come in that
    order; None: everything must hold. `larger`: too large for `make test`."""

    name: str
    title: str
    changes: Constants
    checks: Sequence[Check] = SAFE
    breaks: Check | None = None
    story: Sequence[str] = ()
    larger: bool = False

    @property
    def constants(self) -> Mapping[str, Value]:
        return {**SHIPPED, **self.changes}

    def is_as_expected(self, answer: Answer) -> bool:
        return answer.broken is self.breaks and tells(answer.actions, self.story)


def tells(actions: Sequence[str], story: Sequence[str]) -> bool:
    """Whether the actions of the story come in its order, whatever else happens in between."""
    rest = iter(actions)
    return all(step in rest for step in story)


_TOGGLES = {Check.LATE: 2, Check.HIDDEN: 2}
"""How many a story needs: to be switched on, and off where that is what it is about."""


def _without(
    mechanism: str,
    changes: Constants,
    breaks: Check,
    story: str,
    name: str | None = None,
    erp: Constants = XLEDGER,
) -> Variant:
    """One mechanism taken away: only the promise that it serves is asked for, so that the run found is its story."""
    return Variant(
        name=name or f"no-{mechanism.replace(' ', '-')}",
        title=f"without {mechanism}",
        changes={**erp, "Toggles": _TOGGLES.get(breaks, 1), **changes},
        checks=(breaks,),
        breaks=breaks,
        story=story.split(),
    )


HOLD = (
    Variant(name="xledger", title="shipped, ERP takes duplicates", changes=XLEDGER),
    Variant(
        name="business-central",
        title="shipped, ERP refuses duplicates",
        changes={**BUSINESS_CENTRAL, "Mappings": 2, "Faults": 1, "MaxAttempts": 4},
    ),
    Variant(name="two-items", title="shipped, two reimbursements", changes={**XLEDGER, **TWO_ITEMS, "MaxAttempts": 2}),
    Variant(
        name="xledger-ends",
        title="shipped, takes duplicates: every run ends",
        changes={**XLEDGER, "Faults": 1, "MaxAttempts": 2},
        checks=(Check.ENDLESS,),
    ),
    Variant(
        name="business-central-ends",
        title="shipped, refuses duplicates: every run ends",
        changes={**BUSINESS_CENTRAL, "Faults": 1, "MaxAttempts": 4},
        checks=(Check.ENDLESS,),
    ),
    Variant(
        name="no-adapter-look",
        title="without the adapter's own look, ERP takes duplicates",
        changes={**XLEDGER, "AdapterLooks": False},
    ),
    Variant(
        name="one-look-without-lag",
        title="one look-up, which sees documents at once",
        changes={**XLEDGER, "LookUps": 1, "LookUpsLag": False},
    ),
    Variant(
        name="xledger-3-faults",
        title="shipped, takes duplicates, 3 faults",
        changes={**XLEDGER, "Faults": 3, "Mappings": 2},
        larger=True,
    ),
    Variant(
        name="business-central-2-faults",
        title="shipped, refuses duplicates, 2 faults, mapping changes",
        changes={**BUSINESS_CENTRAL, "Mappings": 2},
        larger=True,
    ),
    Variant(
        name="business-central-3-faults",
        title="shipped, refuses duplicates, 3 faults",
        changes={**BUSINESS_CENTRAL, "Faults": 3, "MaxAttempts": 8, "Toggles": 2},
        larger=True,
    ),
    Variant(
        name="two-items-2-faults",
        title="shipped, two reimbursements, 2 faults",
        changes={**XLEDGER, **TWO_ITEMS, "Faults": 2, "MaxAttempts": 3},
        larger=True,
    ),
    Variant(
        name="business-central-two-items",
        title="shipped, refuses duplicates, two reimbursements",
        changes={**BUSINESS_CENTRAL, **TWO_ITEMS},
        larger=True,
    ),
    Variant(
        name="xledger-2-faults-ends",
        title="shipped, takes duplicates, 2 faults: every run ends",
        changes=XLEDGER,
        checks=(Check.ENDLESS,),
        larger=True,
    ),
)

BREAK = (
    _without(
        "flag re-read in the claim", {"FlagReread": False}, Check.LATE, "Take SwitchOff Claim Send", "no-flag-reread"
    ),
    _without("two-phase off", {"TwoPhaseOff": False}, Check.LATE, "Claim SwitchOff Send"),
    _without(
        "quarantine",
        {"Quarantine": False, "LookUpsLag": False},
        Check.DOUBLE,
        "Send LookUp Record LookUp Record Claim LookBefore Apply Send Apply",
    ),
    _without(
        "look-up",
        {"LookUps": 0, "AdapterLooks": False, "LookUpsLag": False},
        Check.DOUBLE,
        "Send Apply QuarantineEnds SendBlindly Claim Send Apply",
    ),
    _without(
        "look-up where the ERP refuses duplicates",
        {"AdapterLooks": False, "Faults": 1, "MaxAttempts": 4},
        Check.STRANDED,
        "Send Apply Show Claim Send Apply Answer Settle",
        "no-look-up-bc",
        BUSINESS_CENTRAL,
    ),
    _without(
        "second look-up",
        {"LookUps": 1},
        Check.DOUBLE,
        "Send Apply QuarantineEnds LookUp Record Claim LookBefore Send Apply",
    ),
    _without("permit", {"Permit": False}, Check.LATE, "Claim LeaseEnds Take SwitchOff Send", "no-permit-late"),
    _without(
        "permit",
        {"Permit": False},
        Check.DOUBLE,
        "Claim LeaseEnds Take QuarantineEnds Send LookUp Record LookUp Record Claim Send Apply",
        "no-permit-double",
    ),
    _without("lease in the claim", {"LeaseInClaim": False}, Check.STRANDED, "Take LeaseEnds Take Claim Crash"),
    _without(
        "fence",
        {"Fence": False},
        Check.DOUBLE,
        "Claim LeaseEnds Send Take LookUp Record LookUp Record Claim Settle Send LeaseEnds Take Claim Send Apply",
        "no-fence-double",
    ),
    _without(
        "fence", {"Fence": False}, Check.FOREIGN, "LeaseEnds LoseAnswer Take LookUp Record Settle", "no-fence-foreign"
    ),
    _without(
        "counted absence",
        {"CountedAbsence": False},
        Check.DOUBLE,
        "Send Apply QuarantineEnds LookUp LeaseEnds Take LookUp Record Record Claim Send Apply",
    ),
    _without(
        "same request again",
        {"SameAgain": False, "Mappings": 2},
        Check.DOUBLE,
        "ChangeMapping Claim LookBefore Send Apply",
        erp=BUSINESS_CENTRAL,
    ),
    _without(
        "kept doubt",
        {"KeepsDoubt": False, "Mappings": 2},
        Check.DOUBLE,
        "Send Claim Unreachable Settle Claim Send Apply",
        "no-kept-doubt-double",
        BUSINESS_CENTRAL,
    ),
    _without(
        "kept doubt",
        {"KeepsDoubt": False},
        Check.HIDDEN,
        "Send Claim Unreachable Settle SwitchOff",
        "no-kept-doubt-hidden",
        BUSINESS_CENTRAL,
    ),
    _without(
        "kept doubt",
        {"KeepsDoubt": False},
        Check.STRANDED,
        "Send Apply Crash Take Claim Send Apply Answer Settle",
        "no-kept-doubt-stranded",
        BUSINESS_CENTRAL,
    ),
)

VARIANTS = {variant.name: variant for variant in HOLD + BREAK}
