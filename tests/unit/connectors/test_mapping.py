from datetime import date
from decimal import Decimal

import pytest

from connectors.contract import ConfigurationError, Posting, Rejected
from connectors.mapping import map_to_posting, validate_mapping
from connectors.reference import reference_of
from schemas.approval import ReimbursementApproved
from tests.unit.connectors.samples import APPROVAL, MAPPING, approval, mapping


def mapped(**changes: object) -> Posting:
    posting = map_to_posting(approval(), mapping(**changes))
    assert isinstance(posting, Posting)
    return posting


def rejected(**changes: object) -> Rejected:
    outcome = map_to_posting(approval(), mapping(**changes))
    assert isinstance(outcome, Rejected)
    return outcome


def test_a_posting_says_what_the_approval_and_the_mapping_say() -> None:
    posting = mapped()
    assert posting.reference == reference_of("hlf", "R-2026-000417")
    assert (posting.claimant, posting.counter_account) == ("10023", "2930")
    assert (posting.total, posting.currency) == (Decimal("1250.50"), "NOK")
    assert posting.text == "Peer meeting, Lillehammer"
    assert [(line.account, line.amount, line.tax_code) for line in posting.lines] == [
        ("7140", Decimal("1000.50"), "0"),
        ("7150", Decimal("250.00"), None),
    ]
    assert sum(line.amount for line in posting.lines) == posting.total
    assert posting.lines[0].dimensions == {"AVD": "10"}
    assert posting.attempt == 1


def test_a_line_without_a_description_is_named_after_its_expense_type() -> None:
    assert [line.text for line in mapped().lines] == ["Train", "meals"]


def test_a_document_without_a_description_is_named_after_the_reimbursement() -> None:
    posting = map_to_posting(approval(description=""), mapping())
    assert isinstance(posting, Posting)
    assert posting.text == "R-2026-000417"


def test_claimants_are_looked_up_in_the_table() -> None:
    assert mapped(claimants={"table": {"peer-4711": "V10023"}}).claimant == "V10023"


def test_an_unmapped_expense_type_is_named() -> None:
    outcome = rejected(expense_types={"travel": {"account": "7140"}})
    assert outcome.code == "unmapped_expense_type"
    assert outcome.message.startswith("The expense type 'meals' has no account in the mapping.")


def test_the_default_takes_what_has_no_account_of_its_own() -> None:
    posting = mapped(expense_types={}, default_expense_type={"account": "7799", "tax_code": "1"})
    assert {(line.account, line.tax_code) for line in posting.lines} == {("7799", "1")}


def test_an_unmapped_claimant_is_named() -> None:
    outcome = rejected(claimants={"table": {}})
    assert outcome.code == "unmapped_claimant"
    assert "'peer-4711'" in outcome.message


def test_an_unmapped_dimension_is_named() -> None:
    outcome = rejected(dimensions={})
    assert outcome.code == "unmapped_dimension"
    assert "'department'" in outcome.message


def with_dimensions(**dimensions: str) -> ReimbursementApproved:
    first, *others = approval().model_dump(mode="json")["lines"]
    return approval(lines=[{**first, "dimensions": dimensions}, *others])


@pytest.mark.parametrize("codes", [("AVD", "AVD"), ("AVD", "avd")])
def test_two_dimensions_of_a_line_that_go_to_one_code_with_different_values_are_refused(codes: tuple[str, str]) -> None:
    names = dict(zip(("department", "project"), codes, strict=True))
    outcome = map_to_posting(with_dimensions(department="10", project="77"), mapping(dimensions=names))
    assert outcome == Rejected(
        "ambiguous_dimension",
        f"The dimensions 'department' and 'project' of one line both go to {codes[1]} and differ in value. Give each "
        "dimension a code of its own in the mapping and retry.",
    )


@pytest.mark.parametrize("dimensions", [{"department": "10", "project": "10"}, {"project": "10"}])
def test_one_value_by_two_names_or_by_one_of_them_is_posted(dimensions: dict[str, str]) -> None:
    posting = map_to_posting(with_dimensions(**dimensions), mapping(dimensions={"department": "AVD", "project": "AVD"}))
    assert isinstance(posting, Posting)
    assert posting.lines[0].dimensions == {"AVD": "10"}


def test_lines_may_each_have_a_value_of_their_own_under_one_code() -> None:
    first, second = approval().model_dump(mode="json")["lines"]
    event = approval(lines=[first, {**second, "dimensions": {"project": "77"}}])
    posting = map_to_posting(event, mapping(dimensions={"department": "AVD", "project": "AVD"}))
    assert isinstance(posting, Posting)
    assert [line.dimensions for line in posting.lines] == [{"AVD": "10"}, {"AVD": "77"}]


def test_what_is_missing_and_what_contradicts_are_told_together() -> None:
    message = map_to_posting(
        with_dimensions(department="10", project="77", purpose="A"),
        mapping(dimensions={"department": "AVD", "project": "AVD"}),
    )
    assert isinstance(message, Rejected)
    assert "'purpose' has no code" in message.message
    assert "'department' and 'project'" in message.message
    assert message.message.endswith(
        "Add what is missing and retry. Give each dimension a code of its own in the mapping and retry."
    )


def test_all_gaps_are_told_at_once() -> None:
    message = rejected(expense_types={}, dimensions={}, claimants={"table": {}}).message
    assert all(name in message for name in ("'travel'", "'meals'", "'department'", "'peer-4711'"))


def test_the_document_is_dated_by_its_latest_expense() -> None:
    assert mapped().document_date == date(2026, 11, 4)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("approved_at", (date(2026, 11, 20), False)),
        ("expense_date", (date(2026, 11, 4), False)),
        ("first_open_date", (date(2026, 11, 20), True)),
    ],
)
def test_the_posting_date_is_the_mappings_choice(choice: str, expected: tuple[date, bool]) -> None:
    posting = mapped(posting_date=choice)
    assert (posting.posting_date, posting.moves_to_open_period) == expected


@pytest.mark.parametrize(
    ("zone", "expected"), [("Europe/Oslo", date(2027, 1, 1)), ("America/New_York", date(2026, 12, 31))]
)
def test_an_approval_is_dated_where_the_organisation_is(zone: str, expected: date) -> None:
    late = approval(approved_at="2026-12-31T23:30:00Z")
    posting = map_to_posting(late, mapping(), zone)
    assert isinstance(posting, Posting)
    assert posting.posting_date == expected


def test_every_mistake_in_a_mapping_is_a_sentence_without_its_value() -> None:
    broken = {
        "expense_types": {"travel": {"konto": "7140"}},
        "claimants": {"from": "hunter2"},
        "posting_date": "hunter2",
        "hunter": 1,
    }
    with pytest.raises(ConfigurationError) as raised:
        validate_mapping(broken)
    assert set(raised.value.problems) == {
        "mapping → expense_types → travel → account is missing.",
        "mapping → expense_types → travel → konto is not a known setting.",
        'mapping → claimants must be {"from": "number"} or {"table": {…}}.',
        "mapping → posting_date is not one of the values it may have.",
        "mapping → hunter is not a known setting.",
    }
    assert "hunter2" not in str(raised.value)


TRAVEL = "mapping → expense_types → travel"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"expense_types": {"travel": {}}}, f"{TRAVEL} → account is missing."),
        ({"expense_types": {"travel": {"account": ""}}}, f"{TRAVEL} → account must not be empty."),
        ({"expense_types": {"travel": {"account": 7140}}}, f"{TRAVEL} → account has a value of the wrong form."),
        ({"expense_types": {"travel": {"account": None}}}, f"{TRAVEL} → account has a value of the wrong form."),
        ({"expense_types": {"travel": {"account": "7" * 65}}}, f"{TRAVEL} → account is too long."),
        ({"expense_types": {"travel": {"account": "71\n40"}}}, f"{TRAVEL} → account has a value of the wrong form."),
        ({"expense_types": {"travel": {"account": "71\x0040"}}}, f"{TRAVEL} → account has a value of the wrong form."),
        ({"expense_types": {"travel": "7140"}}, f"{TRAVEL} has a value of the wrong form."),
        ({"expense_types": ["travel"]}, "mapping → expense_types has a value of the wrong form."),
        ({"default_expense_type": {"acount": "1"}}, "mapping → default_expense_type → account is missing."),
        ({"counter_account": 2930}, "mapping → counter_account has a value of the wrong form."),
        ({"dimensions": {"department": ["AVD"]}}, "mapping → dimensions → department has a value of the wrong form."),
        ({"posting_date": None}, "mapping → posting_date is not one of the values it may have."),
        ({"claimants": None}, 'mapping → claimants must be {"from": "number"} or {"table": {…}}.'),
        ({"claimants": []}, 'mapping → claimants must be {"from": "number"} or {"table": {…}}.'),
        ({"claimants": {"form": "number"}}, 'mapping → claimants must be {"from": "number"} or {"table": {…}}.'),
        ({"claimants": {"table": []}}, "mapping → claimants → table has a value of the wrong form."),
        ({"claimants": {"table": {"p": 1}}}, "mapping → claimants → table → p has a value of the wrong form."),
        ({"claimants": {"table": {"p": ""}}}, "mapping → claimants → table → p must not be empty."),
        ({"hunter\n  \r2": 1}, "mapping → hunter 2 is not a known setting."),
        ({"dimensions": {"x\ny": ""}}, "mapping → dimensions → x y must not be empty."),
        ({"h" * 70: 1}, f"mapping → {'h' * 63}… is not a known setting."),
        ({"claimants": {"table": {}, "from": "number"}}, "mapping → claimants → from is not a known setting."),
    ],
)
def test_each_mistake_in_a_mapping_is_one_line_that_names_its_place(change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        mapping(**change)
    assert told in raised.value.problems
    assert all("\n" not in problem and problem.endswith(".") for problem in raised.value.problems)


def test_a_mistake_among_ten_thousand_entries_is_named_alone() -> None:
    table: dict[str, object] = {f"peer-{number}": f"V{number}" for number in range(10_000)}
    whole = mapping(claimants={"table": {**table, "peer-4711": "V10023"}})
    assert isinstance(map_to_posting(approval(), whole), Posting)
    with pytest.raises(ConfigurationError) as raised:
        mapping(claimants={"table": {**table, "peer-77": 77}})
    assert raised.value.problems == ("mapping → claimants → table → peer-77 has a value of the wrong form.",)


@pytest.mark.parametrize("code", ['7"}}){evil}', "{{7*7}}", "$references", "#", "7140' or code eq '1", "æ ø å"])
def test_codes_are_taken_as_they_are_since_nothing_is_built_by_pasting_them(code: str) -> None:
    posting = mapped(default_expense_type={"account": code, "tax_code": code}, expense_types={})
    assert {(line.account, line.tax_code) for line in posting.lines} == {(code, code)}


def test_a_mapping_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        validate_mapping(["not", "a", "mapping"])


def test_the_samples_are_those_of_the_interface() -> None:
    assert validate_mapping(MAPPING).counter_account == "2930"
    assert APPROVAL["total"] == "1250.50"
