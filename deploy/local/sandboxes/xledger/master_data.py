"""Rows that a company has from the start: kinds of objects with their values, projects, open periods."""

from calendar import monthrange
from datetime import date

from deploy.local.sandboxes.xledger.connections import Row

OWNER = 1_000_001
MASTER_DATA_SINCE = "2026-01-01T00:00:00"
FIRST_ID = {
    "account": 2_000_000,
    "supplier": 3_000_000,
    "tax": 4_000_000,
    "currency": 5_000_000,
    "kind": 6_000_000,
    "object": 7_000_000,
    "period": 8_000_000,
    "project": 9_000_000,
}
TAX_RULES = "TAX_RULE"
"""The name of this kind, and that tax rules are one: omniboost/go-xledger, `tax_rules_test.go`."""
PROJECTS = "PROSJEKT"


def object_value(slot: int, index: int, name: str, value: str) -> Row:
    kind = FIRST_ID["kind"] + slot
    return {
        "dbId": FIRST_ID["object"] + slot * 100_000 + index,
        "code": value,
        "description": value,
        "modifiedAt": MASTER_DATA_SINCE,
        "createdAt": MASTER_DATA_SINCE,
        "ownerDbId": OWNER,
        "posting": True,
        "objectKindDbId": kind,
        "object": {"dbId": kind, "name": name},
    }


def period_status(start: date, first: date, last: date, owner: str) -> Row:
    end = start.replace(day=monthrange(start.year, start.month)[1])
    db_id = FIRST_ID["period"] + start.year * 100 + start.month
    return {
        "dbId": db_id,
        "modifiedAt": MASTER_DATA_SINCE,
        "ownerDbId": OWNER,
        "periodDbId": db_id,
        "owner": {"dbId": OWNER, "code": owner},
        "period": {
            "dbId": db_id,
            "code": f"{start:%Y%m}",
            "description": f"{start:%B %Y}",
            "fromDate": max(start, first).isoformat(),
            "toDate": min(end, last).isoformat(),
            "fiscalYear": start.year,
            "year": start.year,
            "fiscalPeriod": start.month,
            "monthNumber": start.month,
        },
    }


def project(index: int, code: str) -> Row:
    return {
        "dbId": FIRST_ID["project"] + index,
        "code": code,
        "description": code,
        "ownerDbId": OWNER,
        "createdAt": MASTER_DATA_SINCE,
        "modifiedAt": MASTER_DATA_SINCE,
        "allowPosting": True,
    }
