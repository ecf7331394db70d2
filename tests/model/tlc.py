"""One run of the model checker TLC over `Sync.tla`: what it is asked, and what it answers."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.local import tlc_jar
from deploy.local.machine import Machine
from deploy.local.run_folder import RunFolder

SPEC = Path(__file__).with_name("Sync.tla")
LONGEST_SECONDS = 600
OLDEST_JAVA = 11

Value = bool | int | str
Constants = Mapping[str, Value]


class Check(StrEnum):
    """What must hold, as people call its breach."""

    DOUBLE = "double"
    LATE = "late"
    STRANDED = "stranded"
    EMPTY = "synced without its document"
    HIDDEN = "off hides an unknown outcome"
    FOREIGN = "settled by another attempt"
    ENDLESS = "endless"


_INVARIANTS = {
    Check.DOUBLE: "NoDouble",
    Check.LATE: "NoLate",
    Check.EMPTY: "SyncedHasItsDocument",
    Check.HIDDEN: "OffSaysWhatIsUnsure",
}
_PROPERTIES = {Check.FOREIGN: "SettledByItsOwnAttempt", Check.ENDLESS: "EverythingBecomesFinal"}
_BROKEN = {f"Invariant {name} is violated": check for check, name in _INVARIANTS.items()} | {
    "Deadlock reached": Check.STRANDED,
    f"Action property {_PROPERTIES[Check.FOREIGN]} is violated": Check.FOREIGN,
    "Temporal properties were violated": Check.ENDLESS,
}


class TlcError(Exception):
    """TLC did not come to an answer; the text is what it said."""


class MissingTlcError(Exception):
    """TLC can't be had here. The text is one sentence that says what to install."""


@dataclass(frozen=True, slots=True)
class Tlc:
    java: Path
    jar: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """`broken` is None where everything held. `actions` are those of the counterexample, `trace` is all of it."""

    states: int
    depth: int
    broken: Check | None
    actions: Sequence[str]
    trace: str
    seconds: float


async def find_tlc(machine: Machine, folder: RunFolder) -> Tlc:
    """Asks Maven for the jar where it is missing. Raises MissingTlcError, and ServiceError where Maven fails."""
    if machine.java is None or machine.java.release < OLDEST_JAVA:
        raise MissingTlcError(f"The model checker needs Java {OLDEST_JAVA} or newer (Debian: openjdk-17-jre-headless).")
    if not tlc_jar.JAR.fetched() and machine.maven is None:
        raise MissingTlcError("The model checker is fetched by Maven: install it (Debian: maven).")
    jars = await tlc_jar.JAR.fetch(folder, machine.maven or Path("mvn"))
    return Tlc(machine.java.program, next(jars.glob("*.jar")))


def run(tlc: Tlc, constants: Constants, checks: Sequence[Check]) -> Answer:
    """Explores every state. Raises TlcError."""
    with tempfile.TemporaryDirectory(prefix="accounting-sync-model-") as name:
        folder = Path(name)
        shutil.copy(SPEC, folder)
        (folder / "Sync.cfg").write_text(_configuration(constants, checks))
        started = time.monotonic()
        said = _said(tlc, folder)
    return _answer(said, time.monotonic() - started)


def _said(tlc: Tlc, folder: Path) -> str:
    # TLC unpacks its modules into the temporary folder under fixed names: each run has one of its own.
    # C1 alone and the serial collector: half the CPU for a small run (measured: 1.6 s instead of 3.7).
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx2g", f"-Djava.io.tmpdir={folder}"]
    options = ["-nowarning", "-workers", "1", "-difftrace", "-metadir", str(folder / "states")]
    done = subprocess.run(
        [str(tlc.java), *flags, "-cp", str(tlc.jar), "tlc2.TLC", *options, SPEC.name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    return done.stdout


def _configuration(constants: Constants, checks: Sequence[Check]) -> str:
    # Symmetric states are not the same to a temporal property, and "stranded" is a deadlock.
    is_temporal = Check.ENDLESS in checks
    invariants = [_INVARIANTS[check] for check in checks if check in _INVARIANTS]
    properties = [_PROPERTIES[check] for check in checks if check in _PROPERTIES]
    return "\n".join(
        [
            f"SPECIFICATION {'LiveSpec' if is_temporal else 'Spec'}",
            *([] if is_temporal else ["SYMMETRY Symmetry"]),
            *([f"INVARIANTS {' '.join(invariants)}"] if invariants else []),
            *([f"PROPERTIES {' '.join(properties)}"] if properties else []),
            f"CHECK_DEADLOCK {_written(Check.STRANDED in checks)}",
            "CONSTANTS",
            *(f"  {name} = {_written(value)}" for name, value in constants.items()),
        ]
    )


def _written(value: Value) -> str:
    return str(value).upper() if isinstance(value, bool) else str(value)


def _answer(said: str, seconds: float) -> Answer:
    counts = re.search(r"([\d,]+) states generated, (\d+) distinct states found", said)
    depth = re.search(r"depth of the complete state graph search is (\d+)", said)
    broken = next((check for sentence, check in _BROKEN.items() if f"Error: {sentence}" in said), None)
    if counts is None or (broken is None and "No error has been found" not in said):
        raise TlcError(said)
    actions = re.findall(r"^State \d+: <(\w+)", said, re.MULTILINE)
    trace = said[said.find("State 1:") : said.rfind("states generated")] if broken else ""
    return Answer(int(counts[2]), int(depth[1]) if depth else len(actions), broken, actions[1:], trace, seconds)
