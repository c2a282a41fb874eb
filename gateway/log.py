"""The log: plain lines on a terminal, JSON lines elsewhere. Never what somebody wrote, never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TextIO

import orjson

# Connection, account, conversation: whoever knows them sets them, and every line of that context carries them.
context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))

# The last net below the rule that nobody logs these: our secrets by their prefix, JWTs by their shape.
_SECRETS = re.compile(r"\b(sb[a-z])_[\w-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


def configure(form: Literal["auto", "plain", "json"] | str, level: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to one stream (stderr), in one form."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    is_plain = form == "plain" or (form == "auto" and stream.isatty())
    handler.setFormatter(PlainLines() if is_plain else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.getLogger("alembic").setLevel("WARNING")
    # While the database is away it would say so for each pool again and again, with a traceback; we say it in a line.
    logging.getLogger("asyncpg.pool").setLevel("ERROR")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # its own handlers would print everything twice
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # one line per request is what metrics are for


class PlainLines(logging.Formatter):
    """`12:30:01.123 INFO  gateway.drain: …  account=acc_…`"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        known = "".join(f"  {name}={value}" for name, value in context.get().items())
        line = f"{moment} {record.levelname:<7} {record.name}: {record.getMessage()}{known}"
        return without_secrets(line + _traceback(self, record))


class JsonLines(logging.Formatter):
    """One object a line: at, level, logger, message, what the context knows, and the traceback of a bug."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **context.get(),
        }
        if traceback := _traceback(self, record):
            line["traceback"] = traceback.strip()
        return without_secrets(orjson.dumps(line, default=str).decode())


def without_secrets(text: str) -> str:
    """The text, with every secret that can be recognised blotted out."""
    return _SECRETS.sub("…", text)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return "\n" + formatter.formatException(record.exc_info) if record.exc_info else ""
