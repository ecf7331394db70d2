"""Results for people: on the terminal, and as a page with pictures that is committed."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table as RichTable

from deploy.local.kafka_jars import KAFKA_VERSION
from tests.benchmarks.ground import PEERS_LOCK
from tests.benchmarks.results import Chart, Goal, Section, Table, count

FOLDER = Path(__file__).with_name("results")
PEERS = ("aiohttp", "aiokafka", "asyncpg", "faststream", "pgqueuer", "procrastinate", "quixstreams")
WIDTH, LABELS, BAR, TOP = 720, 260, 26, 46
_FONT = 'font-family="system-ui, sans-serif" font-size="14"'


def show(console: Console, section: Section) -> None:
    for table in section.tables:
        printed = RichTable(*table.columns, title=table.title, title_justify="left")
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)
    for goal in section.goals:
        console.print(f"{_mark(goal)}: {goal.wanted}: {goal.measured}")


def write(sections: Sequence[Section], postgresql: str) -> None:
    """A page for each section; the sections that were not measured this time stay as they were."""
    FOLDER.mkdir(exist_ok=True)
    for section in sections:
        (FOLDER / f"{section.name}.md").write_text(page(section, postgresql), "utf-8")
        for chart in section.charts:
            (FOLDER / f"{chart.name}.svg").write_text(picture(chart), "utf-8")


def page(section: Section, postgresql: str) -> str:
    parts = [f"# {section.title}", machine(postgresql)]
    parts += [f"![{_in_words(chart)}]({chart.name}.svg)" for chart in section.charts]
    parts += [_markdown(table) for table in section.tables]
    if section.goals:
        rows = [(goal.wanted, goal.measured, _mark(goal)) for goal in section.goals]
        parts.append(_markdown(Table("Goals", ("Wanted", "Measured", ""), rows)))
    parts += section.notes
    return "\n\n".join(parts) + "\n"


def machine(postgresql: str) -> str:
    """`postgresql`: the server's version."""
    memory = psutil.virtual_memory().total / 2**30
    peers = ", ".join(f"{name} {found}" for name, found in _locked().items() if name in PEERS)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores with {memory:.0f} GiB "
        f"({_processor()}), {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"PostgreSQL {postgresql}, Kafka {KAFKA_VERSION}, the worker on aiokafka {version('aiokafka')}, "
        f"asyncpg {version('asyncpg')} and aiohttp {version('aiohttp')}. Peers: {peers}."
    )


def picture(chart: Chart) -> str:
    """Bars with their values beside them. The text says everything that the lengths and the colour do."""
    height = TOP + BAR * len(chart.bars) + 12
    longest = max((value for _, value in chart.bars), default=0) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {_FONT}>',
        f"<title>{escape(chart.title)}</title><desc>{escape(_in_words(chart))}</desc>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="26" font-size="16" font-weight="600">{escape(chart.title)} ({escape(chart.unit)})</text>',
    ]
    for number, (label, value) in enumerate(chart.bars):
        lines += _bar(TOP + BAR * number, label, value, value / longest, is_ours=label.startswith(chart.highlighted))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(y: int, label: str, value: float, share: float, *, is_ours: bool) -> list[str]:
    length = max(share * (WIDTH - LABELS - 110), 1)
    weight, fill = ("700", "#0062ba") if is_ours else ("400", "#68707c")
    return [
        f'<text x="{LABELS - 8}" y="{y + 16}" text-anchor="end" font-weight="{weight}">{escape(label)}</text>',
        f'<rect x="{LABELS}" y="{y + 2}" width="{length:.1f}" height="{BAR - 8}" fill="{fill}"/>',
        f'<text x="{LABELS + length + 6:.1f}" y="{y + 16}" font-weight="{weight}">{count(value)}</text>',
    ]


def _in_words(chart: Chart) -> str:
    values = ", ".join(f"{label} {count(value)}" for label, value in chart.bars)
    return f"{chart.title} in {chart.unit}: {values}."


def _markdown(table: Table) -> str:
    lines = [f"**{table.title}**", "", _row(table.columns), _row(["---"] * len(table.columns))]
    return "\n".join([*lines, *(_row(row) for row in table.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _mark(goal: Goal) -> str:
    return "reached" if goal.is_reached else "not reached"


def _locked() -> dict[str, str]:
    """{name: version} of the peers' lock."""
    lines = [line.split()[0] for line in PEERS_LOCK.read_text("utf-8").splitlines() if line[:1].isalpha()]
    return dict(line.split("==", 1) for line in lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
