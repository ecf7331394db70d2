"""The OpenAPI document, tried against the server itself by schemathesis."""

import asyncio
import re
from itertools import count
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

from tests.admin import token
from tests.integration.admin.api.two import API, OTHER, OWN, TwoOrganizations
from worker.admin.access import IDENTIFIER
from worker.domain.switching import Role

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

EXAMPLES = 20
SEED = 20261125
_CALLERS = count()


async def test_the_answers_are_what_the_openapi_document_says(two: TwoOrganizations) -> None:
    """Of what fits the document, and of what does not."""
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, f"{two.admin.url}{API}/openapi.json")
    schema.config.generation.update(with_security_parameters=False)
    for result in schema.get_all_operations():
        for mode in GenerationMode:
            assert isinstance(result, Ok)
            await asyncio.to_thread(explore, two, result.ok(), mode)


def explore(two: TwoOrganizations, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    known = {
        "organization_id": [OWN, OTHER],
        "run_id": list(two.runs.values()),
        "reimbursement_id": ["R-pending-0", "R-rejected-0"],
    }

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), choice=strategies.integers(0, 3))
    def ask(case: Case[Any], choice: int) -> None:
        """Three in four ask of what there is. Every caller is another, so that none is too fast."""
        for name, value in case.path_parameters.items():
            if choice and could_be(value):
                case.path_parameters[name] = known[name][choice % 2]
        bearer = token(f"admin-{next(_CALLERS)}", [Role.GLOBAL_ADMIN])
        case.call_and_validate(base_url=two.admin.url, headers={"Authorization": f"Bearer {bearer}"})

    ask()


def could_be(value: object) -> bool:
    """What is wrong with a case must stay in it."""
    return isinstance(value, str) and re.fullmatch(IDENTIFIER, value) is not None


async def test_every_route_says_how_to_sign_in_and_what_may_be_answered(two: TwoOrganizations) -> None:
    async with two.admin.client() as client:
        document = (await client.get(f"{API}/openapi.json")).json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["security"], path
            answers = operation["responses"]
            good = [status for status in answers if status.startswith("2")]
            assert all("$ref" in answers[status]["content"]["application/json"]["schema"] for status in good), path
            assert {"401", "403", "422", "500", "503"} <= answers.keys(), path
            assert ("429" in answers) == (method != "get" or path.endswith("/release-preview")), path
            for status in answers.keys() - good:
                assert list(answers[status]["content"]) == ["application/problem+json"], (path, status)
