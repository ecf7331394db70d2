"""Replacing the credentials of a connector: they go in, are encrypted at once, and never come out."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from connectors.contract import ConfigurationError
from worker import setup
from worker.admin.access import Asking, Context
from worker.admin.caller import Caller
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError
from worker.admin.screens.connector import configured
from worker.admin.screens.connector_facts import connector_facts, credentials_of
from worker.admin.screens.notices import Notice, Tone, go_on
from worker.admin.screens.pages import page
from worker.admin.screens.reader import Reader, reader_of
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.domain.switching import Actor
from worker.store.database import transaction
from worker.vault import VaultError
from worker.views import ConnectorObject

router = APIRouter(prefix="/organizations/{organization_id}/connector/credentials")

SOURCE = "http"
NO_MISTAKES: Mapping[str, str] = MappingProxyType({})
LONGEST_SECRET = 8 * 1024
Kind = Annotated[str | None, Query(alias="connector", max_length=64)]


@router.get("")
async def ask(request: Request, shown: Shown, caller: Asking, context: Context, kind: Kind = None) -> Response:
    if kind is None:
        return RedirectResponse(f"/organizations/{shown.organization_id}", HTTPStatus.SEE_OTHER)
    connector = configured(await connector_facts(context, shown.organization_id, kind))
    return _page(request, shown, caller, connector, await _fields(context, connector))


@router.post("")
async def replace(request: Request, shown: Shown, caller: Asking, context: Context, kind: Kind = None) -> Response:
    """What was typed is not shown again, also where it is refused."""
    connector = configured(await connector_facts(context, shown.organization_id, kind))
    fields = await _fields(context, connector)
    async with request.form(max_files=0, max_fields=len(fields) + 1) as form:
        given = {name: str(form.get(name, "")).strip() for name in fields}
    reader = reader_of(request)
    mistakes = _mistakes(given, reader)
    problems = () if mistakes else await _replaced(context, connector, given, caller.actor)
    if mistakes or problems:
        return _page(request, shown, caller, connector, fields, mistakes, problems)
    text = reader.translate("The credentials are replaced. The connector is as it was: nothing was switched.")
    return go_on(f"/organizations/{shown.organization_id}?connector={connector.connector}", Notice(Tone.DONE, text))


def _mistakes(given: Mapping[str, str], reader: Reader) -> Mapping[str, str]:
    """Field → what to do."""
    missing = {name: reader.translate("Enter this secret.") for name, value in given.items() if not value}
    long = [name for name, value in given.items() if len(value) > LONGEST_SECRET]
    return missing | dict.fromkeys(long, reader.translate("This secret is too long."))


def _page(
    request: Request,
    shown: ShownOrganization,
    caller: Caller,
    connector: ConnectorObject,
    fields: Sequence[str],
    mistakes: Mapping[str, str] = NO_MISTAKES,
    problems: Sequence[str] = (),
) -> Response:
    return page(
        request,
        "credentials.html",
        caller=caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes or problems else HTTPStatus.OK,
        organization=shown,
        connector=connector,
        fields=fields,
        mistakes=mistakes,
        problems=problems,
    )


async def _fields(context: AdminContext, connector: ConnectorObject) -> Sequence[str]:
    """Raises ProblemError 404 where nobody knows any more what the connector needs."""
    found = await credentials_of(context, connector)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "not-found", "That connector is not installed. Ask an operator.")
    return found.fields


async def _replaced(
    context: AdminContext, connector: ConnectorObject, given: Mapping[str, str], actor: Actor
) -> tuple[str, ...]:
    """What was wrong; empty: they are replaced."""
    try:
        async with transaction(context.pool) as connection:
            await setup.replace_credentials(
                connection,
                connector.organization_id,
                connector.connector,
                given,
                adapters=context.adapters,
                vault=context.vault,
                actor=actor,
                source=SOURCE,
            )
    except ConfigurationError as error:
        return error.problems
    except VaultError as error:
        return (str(error),)
    return ()
