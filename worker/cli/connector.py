"""`connector`: an organisation's link to its ERP."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from connectors.contract import Problem
from worker import insights, readiness, setup
from worker.bootstrap import installed_kinds, make_adapters, make_vault
from worker.cli.answering import (
    SOURCE,
    ActorOption,
    Exit,
    JsonFlag,
    OrganizationArgument,
    ReasonOption,
    in_transaction,
    operator,
    refuse,
    say,
    say_facts,
    say_json,
    say_table,
    with_pool,
)
from worker.cli.sync import finished, say_run, status_of
from worker.domain.release import ReleasePolicy
from worker.domain.switching import Phase, Toggle, Verdict
from worker.quiescing import quiesce
from worker.readiness import NotReady
from worker.settings import Settings
from worker.store import connectors
from worker.store.database import Connection, Pool, acquire, transaction
from worker.store.runs import RunKind
from worker.toggles import Toggled, apply_toggle
from worker.views import ConnectorObject, ProblemView, ReleasePreview, RunView

app = typer.Typer(help="An organisation's link to its ERP.", no_args_is_help=True)

LOOK_SECONDS = 0.05
*_SOME, _LAST = installed_kinds()
KINDS = " or ".join(filter(None, [", ".join(_SOME), _LAST]))
LARGEST_FILE_BYTES = 4 * 1024 * 1024

KindOption = Annotated[
    str | None, typer.Option("--connector", help="Which one, where the organisation has several configured.")
]
UncheckedFlag = Annotated[
    bool, typer.Option("--unchecked", help="Without the check before the first enable; goes into the sync log.")
]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Return once nothing is in flight.")]
WaitForRunFlag = Annotated[bool, typer.Option("--wait", help="Return once the run that it started is finished.")]


@app.command()
def configure(
    organization: OrganizationArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{KINDS}.")],
    *,
    file: Annotated[str, typer.Option("--file", help="JSON; - reads standard input.")],
    actor: ActorOption = "operator",
    as_json: JsonFlag = False,
) -> None:
    """Set a connector up or change it. It stays on or off as it was; credentials are encrypted at once.

    Example: accounting-sync connector configure hlf xledger --file hlf.json
    """
    content = _read(file)

    async def work(pool: Pool, settings: Settings) -> Phase:
        async with transaction(pool) as connection:
            return await setup.configure(
                connection,
                organization,
                kind,
                content,
                adapters=make_adapters(settings),
                vault=make_vault(settings),
                actor=operator(actor),
                source=SOURCE,
            )

    phase = with_pool(work)
    if as_json:
        say_json({"organization_id": organization, "connector": kind, "phase": phase})
    else:
        say(f"The {kind} connector of {organization} is configured; it is {phase}.")


@app.command()
def test(organization: OrganizationArgument, *, connector: KindOption = None, as_json: JsonFlag = False) -> None:
    """Sign in at the ERP and check what the mapping names. Writes nothing.

    Example: accounting-sync connector test hlf
    """

    async def work(pool: Pool, settings: Settings) -> list[Problem]:
        async with acquire(pool) as connection:
            kind = await _kind(connection, organization, connector)
        return await readiness.problems_of(pool, make_adapters(settings), organization, kind)

    problems = with_pool(work)
    _say_problems(problems, as_json=as_json)
    if problems:
        them = "1 problem. Mend it" if len(problems) == 1 else f"{len(problems)} problems. Mend them"
        refuse(f"The check found {them} and test again.")


@app.command()
def show(organization: OrganizationArgument, *, as_json: JsonFlag = False) -> None:
    """Show the connector: on or off, since when, by whom, what waits.

    Example: accounting-sync connector show hlf --json
    """

    async def work(connection: Connection) -> ConnectorObject | None:
        return await insights.connector_object(connection, organization)

    _say(in_transaction(work) or _none(organization), as_json=as_json)


@app.command()
def preview(organization: OrganizationArgument, *, as_json: JsonFlag = False) -> None:
    """Show what enabling now would send, what would be rejected, and what the check at the ERP finds.

    Example: accounting-sync connector preview hlf
    """

    async def work(pool: Pool, settings: Settings) -> ReleasePreview | None:
        return await readiness.preview(pool, make_adapters(settings), organization)

    found = with_pool(work) or _none(organization)
    if as_json:
        say_json(found)
        return
    sums = ", ".join(f"{one.total} {one.currency}" for one in found.sums)
    moment = "with the enable" if found.release_policy == "on_enable" else "with the next scheduled or manual run"
    facts = [("would be sent", f"{found.count}, {moment}"), ("amount", sums or "-"), ("oldest approved", found.oldest)]
    say_facts([*facts, ("checked", found.checked), ("would be rejected", len(found.would_be_rejected))])
    if found.would_be_rejected:
        say("")
        rows = [(one.reimbursement_id, one.code, one.message) for one in found.would_be_rejected]
        say_table(["REIMBURSEMENT", "CODE", "WHY"], rows, "")
    say("")
    _say_problems(found.problems or [], as_json=False)


@app.command()
def enable(
    organization: OrganizationArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    connector: KindOption = None,
    unchecked: UncheckedFlag = False,
    wait: WaitForRunFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Switch the connector on: what waited is posted, oldest first. The first time only where `connector test` finds
    nothing wrong.

    Example: accounting-sync connector enable hlf --actor user-9 --reason "Onboarding done" --wait
    """

    async def work(pool: Pool, settings: Settings) -> tuple[Toggled | NotReady, ConnectorObject | None, RunView | None]:
        async with acquire(pool) as connection:
            kind = await _kind(connection, organization, connector)
        toggle = Toggle(organization, kind, enabled=True, reason=reason, actor=operator(actor))
        switched = await readiness.switch(pool, make_adapters(settings), toggle, SOURCE, unchecked=unchecked)
        run = await _run_of_enable(pool, organization, switched) if wait else None
        return switched, await _quiet(pool, organization, wait=False), run

    switched, view, run = with_pool(work)
    if isinstance(switched, NotReady):
        _say_problems(switched.problems, as_json=as_json)
        refuse(f"{switched.sentence} Or enable it all the same: --unchecked")
    _say_switched(switched, view, as_json=as_json)
    if run is None:
        return Exit.DONE
    if not as_json:
        say("")
        say_run(run, as_json=False)
    return status_of(run)


@app.command()
def disable(
    organization: OrganizationArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    connector: KindOption = None,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Switch the connector off: nothing new is sent, what is approved waits.

    Example: accounting-sync connector disable hlf --actor user-9 --reason "New credentials" --wait
    """

    async def work(pool: Pool, _settings: Settings) -> tuple[Toggled, ConnectorObject | None]:
        async with transaction(pool) as connection:
            kind = await _kind(connection, organization, connector)
            toggle = Toggle(organization, kind, enabled=False, reason=reason, actor=operator(actor))
            toggled = await apply_toggle(connection, toggle, SOURCE)
        return toggled, await _quiet(pool, organization, wait=wait)

    toggled, view = with_pool(work)
    _say_switched(toggled, view, as_json=as_json)


async def _run_of_enable(pool: Pool, organization: str, switched: Toggled | NotReady) -> RunView | None:
    """The run that the enable has opened, once it has ended. Under `next_sync` there is none. On a connector that was
    on already: the one that an enable opened and that is still under way."""
    if isinstance(switched, NotReady) or switched.phase is not Phase.ON:
        return None
    async with acquire(pool) as connection:
        runs = (await insights.run_page(connection, organization, None, 1)).runs
        policy = (await connectors.views(connection, organization))[0].release_policy
    is_new = switched.decision.verdict is Verdict.APPLIED and policy == ReleasePolicy.ON_ENABLE
    if not runs or runs[0].kind is not RunKind.CONNECTOR_ENABLED or not (is_new or runs[0].state == "running"):
        return None
    return await finished(pool, runs[0].run_id)


def _say_switched(toggled: Toggled, view: ConnectorObject | None, *, as_json: bool) -> None:
    if toggled.decision.verdict is Verdict.REFUSED or view is None:
        refuse(toggled.decision.sentence)
    if not as_json:
        say(toggled.decision.sentence)
    _say(view, as_json=as_json)


async def _quiet(pool: Pool, organization: str, *, wait: bool) -> ConnectorObject | None:
    """The connector as it is now; with `wait`, once nothing is in flight."""
    while True:
        async with acquire(pool) as connection:
            view = await insights.connector_object(connection, organization)
        if view is None or not wait or view.phase is not Phase.SWITCHING_OFF:
            return view
        await quiesce(pool, organization, view.connector)
        await asyncio.sleep(LOOK_SECONDS)


async def _kind(connection: Connection, organization: str, kind: str | None) -> str:
    """The connector that is meant: the one named, else the one in use, else the only one."""
    if kind:
        return kind
    views = await connectors.views(connection, organization)
    if not views:
        _none(organization)
    if len(views) > 1 and not views[0].enabled and views[0].changed_at is None:
        refuse(f"{organization} has several connectors. Say which: --connector {views[0].kind}")
    return views[0].kind


def _none(organization: str) -> NoReturn:
    refuse(f"No connector is configured for {organization}. Configure one: accounting-sync connector configure")


def _read(file: str) -> Mapping[str, object]:
    """The configuration file. What is wrong with it is said without quoting it, since it holds credentials."""
    try:
        text = sys.stdin.read(LARGEST_FILE_BYTES) if file == "-" else Path(file).read_text(encoding="utf-8")
        content = json.loads(text)
    except OSError as error:
        refuse(f"The file can't be read: {error.strerror}.")
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        refuse(f"The file is not JSON in UTF-8{place}.")
    if not isinstance(content, dict):
        refuse("The file must hold one JSON object.")
    return content


def _say_problems(problems: Sequence[Problem | ProblemView], *, as_json: bool) -> None:
    if as_json:
        say_json({"ready": not problems, "problems": [{"subject": p.subject, "message": p.message} for p in problems]})
    else:
        say_table(["WHAT", "WRONG"], [(p.subject, p.message) for p in problems], "Ready: nothing is wrong.")


def _phase(view: ConnectorObject) -> str:
    """`off, 1 outcome unknown`: the ERP may still carry out what nobody has an answer to."""
    words = [view.phase.replace("_", " ")]
    if view.outcome_unknown:
        words.append(f"{view.outcome_unknown} {'outcome' if view.outcome_unknown == 1 else 'outcomes'} unknown")
    return ", ".join(words)


def _say(view: ConnectorObject, *, as_json: bool) -> None:
    if as_json:
        say_json(view)
        return
    waiting = ", ".join(f"{one.count} ({one.total} {one.currency})" for one in view.waiting)
    facts: list[tuple[str, object]] = [
        ("organisation", view.organization_id),
        ("connector", view.title),
        ("phase", _phase(view)),
        ("in flight", view.in_flight),
        ("changed", view.changed_at),
        ("by", view.changed_by),
        ("reason", view.reason),
        ("suspended", view.suspended_reason),
        ("tried again", view.next_probe_at),
        ("release policy", view.release_policy),
        ("schedule", f"{view.schedule} ({view.time_zone})" if view.schedule else None),
        ("next run", view.next_run_at),
        ("waiting", waiting or "nothing"),
    ]
    say_facts(facts)
