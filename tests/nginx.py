"""A real nginx for the tests: any configuration in a temporary folder, on free ports, reloaded and ended at will."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import START_SECONDS, a_free_port

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


@dataclass(frozen=True, slots=True)
class Ports:
    """Where an nginx with our configuration listens. `plain` is the same server without TLS, which we don't ship."""

    nodes: tuple[int, int]
    tls: int = field(default_factory=a_free_port)
    plain: int = field(default_factory=a_free_port)
    redirect: int = field(default_factory=a_free_port)


def shipped(folder: Path, ports: Ports, certificate: tuple[Path, Path], **lines: str) -> str:
    """The configuration that we ship, on these ports and with everything else in `folder`.

    `lines` are other values for some directives, such as worker_shutdown_timeout.
    """
    replaced = {
        "user www-data;": "user root;" if os.geteuid() == 0 else "",
        "http {\n": f"http {{\n{temporary(folder)}",
        "127.0.0.1:8001": f"127.0.0.1:{ports.nodes[0]}",
        "127.0.0.1:8002": f"127.0.0.1:{ports.nodes[1]}",
        "listen 80;": f"listen 127.0.0.1:{ports.redirect};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports.tls} ssl; listen 127.0.0.1:{ports.plain};",
        "/etc/ssl/shopbell/fullchain.pem": str(certificate[0]),
        "/etc/ssl/shopbell/privkey.pem": str(certificate[1]),
    }
    replaced |= {f"{name} {directive(name)};": f"{name} {value};" for name, value in lines.items()}
    text = SHIPPED.read_text()
    for old, new in replaced.items():
        assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {SHIPPED.name}"
        text = text.replace(old, new)
    return text


def directive(name: str) -> str:
    """The value that it has in the configuration that we ship."""
    (value,) = re.findall(rf"^\s*{name}\s+([^;]+);", SHIPPED.read_text(), re.MULTILINE)
    return str(value)


def site(folder: Path, server: str, *, http: str = "") -> str:
    """A small configuration around this `server` block, for what people get wrong."""
    who = "user root;" if os.geteuid() == 0 else ""
    return f"{who}\nevents {{}}\nhttp {{\naccess_log off;\n{temporary(folder)}\n{http}\nserver {{\n{server}\n}}\n}}\n"


def temporary(folder: Path) -> str:
    """Where nginx keeps what it can't keep in memory."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
