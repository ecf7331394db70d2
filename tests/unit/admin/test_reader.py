"""What the services say, in the reader's language, and marked where it is not."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from worker.admin.screens.catalogues import Language
from worker.admin.screens.reader import Reader
from worker.admin.screens.run_progress import RunProgress
from worker.domain.sentences import say, say_number
from worker.store.runs import RunKind
from worker.views import RunCountsView, RunView

BOKMAL, ENGLISH = Reader(Language.BOKMAL), Reader(Language.ENGLISH)
AT = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
REFUSED = say(
    "The {title} connector for {organization} is disabled ({circumstances}). Nothing was synced. Enable it first.",
    title="Xledger",
    organization="hlf",
    circumstances=say("since {since} by {by}: {reason}", since=AT, by="user-9", reason="Closing <b>"),
)


def test_a_sentence_is_translated_by_its_template_with_the_sentences_and_moments_in_it() -> None:
    assert BOKMAL.said(REFUSED) == (
        "Koblingen til Xledger for hlf er av (slått av 25. november 2026 kl. 09:30 av user-9: Closing <b>). "
        "Ingenting ble overført. Slå den på først."
    )
    assert ENGLISH.said(REFUSED) == (
        "The Xledger connector for hlf is disabled (since 25 November 2026 at 09:30 by user-9: Closing <b>). "
        "Nothing was synced. Enable it first."
    )


@pytest.mark.parametrize(("count", "said"), [(1, "1 problem."), (2, "2 problemer."), (12000, "12\u00a0000 problemer.")])
def test_numbers_choose_the_form_and_are_written_as_the_reader_writes_them(count: int, said: str) -> None:
    sentence = say_number(
        "The check before the first enable found 1 problem. Nothing was switched. Mend it and try again.",
        "The check before the first enable found {count} problems. Nothing was switched. Mend them and try again.",
        count=count,
    )
    assert said in BOKMAL.said(sentence)


def test_every_number_of_things_is_grouped_and_a_name_that_is_a_number_is_not() -> None:
    run = RunProgress.of(
        RunView(
            organization_id="hlf",
            run_id=UUID(int=1),
            kind=RunKind.MANUAL,
            connector="xledger",
            state="finished",
            requested_by="user-9",
            counts=RunCountsView(synced=1200, rejected=1001, unknown=0, remaining=2500),
            started_at=AT,
            finished_at=AT,
        )
    )
    assert BOKMAL.said(run.told) == "2\u00a0201 av 4\u00a0701 ferdig, 1\u00a0001 avvist"
    assert BOKMAL.marked(run.told) == BOKMAL.said(run.told)
    assert BOKMAL.said(run.milestone) == (
        "Synkroniseringen er ferdig: 1\u00a0200 overført, 1\u00a0001 avvist, 0 med ukjent utfall, "
        "2\u00a0500 venter fortsatt."
    )
    assert ENGLISH.said(run.told) == "2,201 of 4,701 done, 1,001 rejected"
    older = say("Revision {revision} is not newer than revision {last}; nothing was changed.", revision=1763, last=1764)
    assert ENGLISH.said(older) == "Revision 1763 is not newer than revision 1764; nothing was changed."


def test_any_other_text_stays_as_it_is() -> None:
    assert BOKMAL.said("The account 7140 does not exist: {reason} %(x)s") == (
        "The account 7140 does not exist: {reason} %(x)s"
    )


def test_on_a_page_everything_is_escaped_and_what_is_quoted_in_english_says_so() -> None:
    sentence = say("It was refused by {title}: {reason}", title="<Xledger>", reason="<i>Account</i> {title}")
    assert BOKMAL.marked(sentence) == (
        'Den ble avvist av &lt;Xledger&gt;: <span lang="en">&lt;i&gt;Account&lt;/i&gt; {title}</span>'
    )
    assert ENGLISH.marked(sentence) == "It was refused by &lt;Xledger&gt;: &lt;i&gt;Account&lt;/i&gt; {title}"


def test_on_a_page_a_moment_can_be_read_by_machines_too() -> None:
    assert BOKMAL.marked(say("It is tried again from {at} on.", at=AT)) == (
        'Den prøves på nytt fra <time datetime="2026-11-25T08:30:00+00:00">25. november 2026 kl. 09:30</time>.'
    )


def test_on_a_page_a_text_of_the_worker_or_the_erp_is_marked() -> None:
    assert BOKMAL.marked("No <answer>.") == '<span lang="en">No &lt;answer&gt;.</span>'
    assert ENGLISH.marked("No <answer>.") == "No &lt;answer&gt;."
