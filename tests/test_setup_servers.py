"""What installs the tests' servers: it installs what is missing, starts nothing, and says plainly what it can't do."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import CompletedProcess, run

SCRIPT = Path(__file__).parent.parent / "setup" / "servers"


def installing(folder: Path, *there: str, user: int, rule: str | None = None) -> CompletedProcess[str]:
    """Run it where only these are, with an apt-get that writes what it is asked, and installs under a rule alone."""
    folder.mkdir()
    note = f'echo "$@" >> {folder}/asked; [ "$1" = update ] || [ -x {folder}/usr/sbin/policy-rc.d ]'
    tools = {"id": f"echo {user}", "apt-get": note}
    for name, answer in {**tools, **dict.fromkeys(there, "exit 0")}.items():
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
        (folder / name).chmod(0o755)
    # The folders that it looks into by name are those of this folder.
    script = SCRIPT.read_text().replace("/usr/", f"{folder}/usr/")
    (folder / "usr/sbin").mkdir(parents=True)
    if rule is not None:
        (folder / "usr/sbin/policy-rc.d").write_text(rule)
        (folder / "usr/sbin/policy-rc.d").chmod(0o755)
    (folder / "script").write_text(script)
    for name in ("bash", "rm", "chmod"):
        (folder / name).symlink_to(f"/bin/{name}")
    environment = {**os.environ, "PATH": str(folder)}
    return run(
        [str(folder / "bash"), str(folder / "script")], env=environment, capture_output=True, text=True, check=False
    )


def test_on_this_machine_everything_is_there_and_nothing_is_done() -> None:
    ended = run([str(SCRIPT)], capture_output=True, text=True, check=False, timeout=60)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_whoever_may_not_install_is_told_what_is_missing(tmp_path: Path) -> None:
    ended = installing(tmp_path / "bin", "redis-server", "redis-cli", user=1000)

    assert ended.returncode == 1
    assert "sudo apt-get install postgresql redis-sentinel nginx" in ended.stderr
    assert not (tmp_path / "bin/asked").exists()


def test_what_is_missing_is_installed_while_a_rule_forbids_its_start(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    ended = installing(folder, "nginx", "redis-cli", user=0)

    assert ended.returncode == 0, ended.stderr
    asked = (folder / "asked").read_text().splitlines()
    assert asked[0] == "update -qq"
    assert asked[1].startswith("install")
    assert asked[1].endswith(" postgresql redis-server redis-sentinel")
    assert not (folder / "usr/sbin/policy-rc.d").exists(), "the rule was for this install alone"


def test_a_rule_that_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    ended = installing(folder, user=0, rule="#!/bin/sh\nexit 104\n")

    assert ended.returncode == 0, ended.stderr
    assert (folder / "usr/sbin/policy-rc.d").read_text().endswith("exit 104\n")
