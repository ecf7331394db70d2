"""The installer: nothing to do is nothing done, and a Python that cannot do it gets one sentence."""

import sys
from pathlib import Path

import pytest

from deploy.local import install


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is installed already, as far as its stamp says; installing would fail the test."""
    for name, content in (("requirements.lock", "a==1"), ("pyproject.toml", ""), ("python", "")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(install, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(install, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(install, "run", lambda *_: pytest.fail("installed something"))
    (tmp_path / "stamp").write_text(install.fingerprint())
    return tmp_path


def test_nothing_is_done_while_nothing_has_changed(project: Path) -> None:
    install.main()
    assert (project / "stamp").exists()


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_input_is_noticed(project: Path, changed: str) -> None:
    (project / changed).write_text("b==2")
    assert install.stamped() != install.fingerprint()


def test_an_environment_whose_python_is_gone_is_made_again(project: Path) -> None:
    (project / "python").unlink()
    assert install.stamped() is None


def test_too_old_a_python_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "stamp").unlink()
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit) as exit_status:
        install.main()
    assert exit_status.value.code == 2
    assert capsys.readouterr().err.startswith("Python 3.11 or newer is needed, this is 3.10: install")


def test_a_python_without_venv_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "stamp").unlink()
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit) as exit_status:
        install.main()
    assert exit_status.value.code == 2
    assert "python3-venv" in capsys.readouterr().err
