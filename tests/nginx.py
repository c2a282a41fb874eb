"""A real nginx for the tests: any configuration in a temporary folder, on free ports, reloaded and ended at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.servers import START_SECONDS

SHIPPED = Path(__file__).parent.parent / "deploy" / "nginx.conf"


class Nginx:
    """Runs in the foreground with this configuration, whose paths are all in `folder`."""

    def __init__(self, folder: Path, configuration: str, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nginx.conf").write_text(configuration)
        self.start()

    @property
    def log(self) -> str:
        path = self._folder / "error.log"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        self._process = subprocess.Popen(self._command("daemon off;"), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self._port):
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, "nginx doesn't start"
            time.sleep(0.01)

    def configure(self, configuration: str) -> None:
        """From the next reload on."""
        (self._folder / "nginx.conf").write_text(configuration)

    def reload(self) -> None:
        """As `nginx -s reload`."""
        subprocess.run([*self._command(), "-s", "reload"], check=True, capture_output=True, timeout=START_SECONDS)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)  # at once, whoever is connected
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _command(self, more: str = "") -> list[str]:
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise RuntimeError("nginx isn't installed: `make test` does that (setup/servers)")
        here = self._folder
        return [
            program,
            "-p",
            str(here),
            "-e",
            str(here / "error.log"),
            "-c",
            "nginx.conf",
            "-g",
            f"pid nginx.pid; {more}",
        ]


def shipped(folder: Path, ports: dict[int, int], certificate: Path, key: Path, **lines: str) -> str:
    """The configuration that we ship, with these ports instead of its own and everything else in `folder`.

    `lines` replace whole directives by their name, such as worker_shutdown_timeout.
    """
    text = SHIPPED.read_text()
    who = "root" if os.geteuid() == 0 else ""
    text = _replaced(text, "user www-data;", f"user {who};" if who else "")
    for old, new in ports.items():
        text = _replaced(
            text, f":{old} " if old > 1024 else f"listen {old}", f":{new} " if old > 1024 else f"listen {new}"
        )
    text = _replaced(text, "/etc/ssl/shopbell/fullchain.pem", str(certificate))
    text = _replaced(text, "/etc/ssl/shopbell/privkey.pem", str(key))
    for name, line in lines.items():
        old_line = next(each for each in text.splitlines() if each.strip().startswith(f"{name} "))
        text = _replaced(text, old_line, f"{name} {line};")
    return text.replace("http {\n", "http {\n" + temporary(folder), 1)


def site(folder: Path, server: str, *, http: str = "") -> str:
    """A small configuration around this `server` block, for what people get wrong."""
    who = "user root;" if os.geteuid() == 0 else ""
    return f"{who}\nevents {{}}\nhttp {{\naccess_log off;\n{temporary(folder)}\n{http}\nserver {{\n{server}\n}}\n}}\n"


def temporary(folder: Path) -> str:
    """Where nginx keeps what it can't keep in memory."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {SHIPPED.name}"
    return text.replace(old, new)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
