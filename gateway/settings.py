"""THE table of settings: each with its default, its help and its reader. Nothing else reads the environment."""

# ruff: noqa: RUF009 - `setting` makes the field itself: the class is the table

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar, cast

from chat.store.urls import is_postgres
from chat.uploads import FAMILIES
from gateway.limits import Rate
from gateway.origins import Origin, parse_origin
from gateway.redis_url import parse_redis_url

T = TypeVar("T")

PREFIX = "SHOPBELL_"
# What hosts that run Procfiles set by themselves, and what it stands for here.
PLATFORM = {"port": "PORT", "store": "DATABASE_URL"}
# Names with our prefix that belong to the test runs.
NOT_SETTINGS = frozenset(
    {
        "SHOPBELL_AUDIT",
        "SHOPBELL_CROWD",
        "SHOPBELL_EXAMPLES",
        "SHOPBELL_FRAMES",
        "SHOPBELL_KILLS",
        "SHOPBELL_SEED",
        "SHOPBELL_STORM",
        "SHOPBELL_TRIES",
    }
)

# URLs may have passwords.
NEVER_SHOWN = frozenset({"secret", "secret_before", "metrics_token", "store", "files", "bus", "presence"})


# Settings that defaults of later ones may be made of.
MADE_OF = ("data", "port", "bus")


class Secret:
    """Bytes that never print."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    name: str
    default: str
    help: str
    parse: Callable[[str], object]

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def platform(self) -> str | None:
        """The name under which a host sets it by itself. Ours goes first."""
        return PLATFORM.get(self.name)


class BadSettings(Exception):
    """Some settings can't be used. `problems` has one sentence for each; none shows a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# --- Readers: text to value, or a ValueError that ends the sentence "SHOPBELL_X must be …" ----------------------------


def folder(text: str) -> Path:
    if not text.strip():
        raise ValueError("a folder")
    return Path(text).expanduser()


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) or not least <= float(text) <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")
        return float(text)

    return parse


def auto_or(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """None where the server is to find out by itself."""

    def parse_or_none(text: str) -> T | None:
        if text.lower() == "auto":
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"auto or {error}") from None

    return parse_or_none


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(" or ".join(words))
        return text.lower()

    return parse


def rate(text: str) -> Rate:
    """`10/s burst 40`, `120/60s`: what may come at once is the burst, else the count itself."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,5})?s(?: burst ([0-9]{1,9}))?", text.strip())
    if not match or int(match[1]) == 0 or match[2] == "0" or match[3] == "0":
        raise ValueError("a rate such as 10/s, 120/60s or 1/s burst 10")
    return Rate(int(match[1]) / int(match[2] or 1), int(match[3] or match[1]))


def store_url(text: str) -> str:
    if is_postgres(text) and re.fullmatch(r"[a-z+]+://[^/\s?#\x00]*/[^/\s?#\x00]+(?:\?[^\s#\x00]*)?", text):
        return text
    url = text if ":" in text else f"sqlite:///{text}"
    if not re.fullmatch(r"sqlite:///[^?#\x00]+", url):
        raise ValueError("a file, sqlite:///<file> or postgresql://<user>:<password>@<host>/<database>")
    return url


def bus_url(text: str) -> str:
    if text in ("memory", "memory:"):
        return "memory"
    try:
        parse_redis_url(text)
    except ValueError as error:
        raise ValueError(f"memory or {error}") from None
    return text


def files_url(text: str) -> str:
    if not re.fullmatch(r"(?:file://[^?#\x00]+|memory:///|(?:s3|s3a|gs|az|abfss?)://[^\s\x00]+)", text):
        raise ValueError("file://<folder>, s3://<bucket>[/<prefix>], gs://… or az://…")
    return text


def file_types(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not parts or not all(part in FAMILIES or re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", part) for part in parts):
        raise ValueError(f"some of {', '.join(FAMILIES)} or single types (image/png), with commas between")
    return parts


def origins(text: str) -> tuple[Origin, ...]:
    found = [parse_origin(part.strip().rstrip("/")) for part in text.split(",") if part.strip()]
    if not found or None in found:
        raise ValueError("one or more of http(s)://host[:port], with commas between, without a path")
    return tuple(origin for origin in found if origin)


def networks(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        # Written as uvicorn wants them: it never matches 10.1.2.3/8, whose last bits say more than the network.
        return tuple(str(ip_network(part, strict=False)) if "/" in part else str(ip_address(part)) for part in parts)
    except ValueError:
        raise ValueError("IP addresses or networks (10.0.0.0/8), with commas between") from None


def hidden(text: str) -> Secret | None:
    if text and len(text) < 32:
        raise ValueError("at least 32 characters; `openssl rand -base64 48` makes some")
    return Secret(text.encode()) if text else None


# --- The table --------------------------------------------------------------------------------------------------------


def setting(default: str, parse: Callable[[str], T], help: str) -> T:
    """A field of Settings together with its line in the table. What it returns is only there for the types."""
    return cast("T", field(metadata={"setting": (default, help, parse)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, read and checked. Parts get the values that they use, never all of it."""

    # Where it runs
    data: Path = setting(
        "./var", folder, "Folder for the database and for the secret that the server makes for itself."
    )
    store: str = setting(
        "sqlite:///{data}/shopbell.db",
        store_url,
        "The database: a file for one node, or `postgresql://…` for several. `{data}` stands for the data folder.",
    )
    files: str = setting(
        "file://{data}/files",
        files_url,
        "Where attachments are: a folder, or a bucket (`s3://…`, `gs://…`, `az://…`) with credentials in the "
        "environment, by the names that its cloud gives them.",
    )
    bus: str = setting(
        "memory",
        bus_url,
        "How nodes tell each other that something happened: `memory` where there is one, or `redis://…`, "
        "`redis+sentinel://…?service=<name>`, `redis+cluster://…`.",
    )
    presence: str = setting(
        "{bus}",
        bus_url,
        "Where it is kept who is here, and where rates are counted over all nodes: `memory` or Redis. `{bus}` stands "
        "for where the bus is.",
    )
    host: str = setting("", str, "Address to listen on. Empty: 127.0.0.1, or 0.0.0.0 where the host sets `PORT`.")
    port: int = setting("8000", whole(1, 65535), "Port to listen on.")
    public_url: tuple[Origin, ...] = setting(
        "http://127.0.0.1:{port}, http://localhost:{port}",
        origins,
        "The origins under which browsers reach the service. Pages, frames and sockets are served to no other. "
        "`{port}` stands for the port.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        "", networks, "Addresses of the proxies in front, whose X-Forwarded-For and -Proto are believed."
    )
    secret: Secret | None = setting(
        "",
        hidden,
        "Signs the tokens and seals what is stored secretly. Not set: the server makes one and keeps it in the data "
        "folder, for its eyes only. Several nodes must have the same one.",
    )
    secret_before: Secret | None = setting(
        "", hidden, "The one that SHOPBELL_SECRET replaces, while it is being replaced: `shopbell secret rotate`."
    )
    log: str = setting(
        "auto", one_of("auto", "plain", "json"), "Form of the log; auto is plain on a terminal, else json."
    )
    log_level: str = setting("info", one_of("debug", "info", "warning", "error"), "The least level that is logged.")

    # How long one is let in
    token_seconds: int = setting("600", whole(10, 3600), "Life of a socket token. It is spent on hello only.")
    agent_session_seconds: int = setting("1209600", whole(60, 31_536_000), "How long a login lasts: 14 days.")
    contact_session_seconds: int = setting(
        "15552000", whole(60, 315_360_000), "How long a browser is the same contact after its last visit: 180 days."
    )

    # Sockets
    hello_seconds: float = setting("10", number(0.05, 60), "A socket must say hello within this time.")
    ping_seconds: float = setting("25", number(0.05, 300), "Every socket is pinged this often; proxies cut near 60 s.")
    pong_seconds: float = setting("10", number(0.05, 300), "A pong must be back within this time, shorter than a ping.")
    frame_bytes: int = setting("65536", whole(1024, 1_048_576), "Size limit of one frame from a client.")
    outbox_frames: int = setting("256", whole(8, 65_536), "Frames that may wait for one slow peer before it is closed.")
    outbox_bytes: int = setting("524288", whole(65_536, 67_108_864), "Bytes that may wait for one slow peer.")
    outbox_seconds: float = setting("10", number(0.05, 300), "How long the oldest frame may wait for a slow peer.")
    inflight_staff: int = setting(
        "64", whole(1, 10_000), "Unanswered asks of one agent's or bot's socket before we stop reading."
    )
    inflight_contact: int = setting(
        "16", whole(1, 10_000), "Unanswered asks of one contact's socket before we stop reading."
    )
    handshakes_per_second: int = setting("1000", whole(1, 1_000_000), "New sockets a second; more get 503.")
    unauthenticated_sockets: int = setting(
        "2000", whole(1, 1_000_000), "Sockets that haven't said hello yet; more get 503."
    )
    unauthenticated_per_address: int = setting(
        "20", whole(1, 1_000_000), "Of these, sockets from one address; more get 429."
    )

    # Attachments
    upload_bytes: int = setting(
        "20971520", whole(1024, 107_374_182_400), "Size limit of one attachment: 20 MiB. An inbox may have a lower one."
    )
    upload_types: tuple[str, ...] = setting(
        "image, audio, video, pdf, text, office",
        file_types,
        "What may be attached, where an inbox doesn't say otherwise: image, audio, video, pdf, text, office, archive, "
        "other, or single types (image/png).",
    )
    upload_seconds: float = setting(
        "30", number(0.05, 3600), "Time that every file has to come, besides what its bytes take at the least speed."
    )
    upload_bytes_per_second: int = setting("8192", whole(1, 1_000_000_000), "The least speed of a file that comes.")
    uploads_per_actor: int = setting("4", whole(1, 1000), "Files that one actor may be sending at once.")
    uploads_per_address: int = setting("16", whole(1, 10_000), "Files that one address may be sending at once.")
    uploads_at_once: int = setting("64", whole(1, 10_000), "Files that all may be sending to one node at once.")

    # The ledger's batches
    batch_asks: int = setting("256", whole(1, 10_000), "Asks that one transaction takes.")
    batch_ms: float = setting("5", number(0.1, 1000), "Time of the event loop that one batch may take.")
    gather_asks: int = setting(
        "10000", whole(1, 1_000_000), "Asks that may wait for the next batches; more are refused as busy."
    )
    gather_bytes: int = setting("8388608", whole(65_536, 1_073_741_824), "Bytes of asks that may wait.")

    lanes: int = setting("4", whole(1, 32), "Transactions at once on PostgreSQL; SQLite has one.")

    # Rates
    rate_contact_messages: Rate = setting("1/s burst 10", rate, "Lasting asks of one contact, by all its sockets.")
    rate_anonymous_messages: Rate = setting(
        "60/600s", rate, "Besides, lasting asks of one contact that no shop's backend vouches for."
    )
    rate_agent_messages: Rate = setting("10/s burst 40", rate, "Lasting asks of one agent, by all its sockets.")
    rate_bot_messages: Rate = setting("50/s", rate, "Lasting asks of one bot, by all its sockets.")
    rate_contact_frames: Rate = setting("120/60s", rate, "Frames of any kind of one contact, by all its sockets.")
    rate_staff_frames: Rate = setting("1200/60s", rate, "Frames of any kind of one agent, by all its sockets.")
    rate_bot_frames: Rate = setting("100/s burst 200", rate, "Frames of any kind of one bot, by all its sockets.")
    rate_hellos: Rate = setting(
        "1/s burst 60", rate, "Sockets that one actor may bring: bringing one up to date costs most of all."
    )

    # Rates of one address: an IPv4 address or an IPv6 /64, which a whole office or mobile carrier may share
    rate_address_connects: Rate = setting(
        "2/s burst 200", rate, "New browsers' sockets from one address; more get 429. Of bots' only failures count."
    )
    rate_address_requests: Rate = setting("50/s burst 500", rate, "HTTP requests under /v1/ from one address.")
    rate_address_sessions: Rate = setting("2/s burst 200", rate, "Of these, shoppers' browsers that begin or return.")
    rate_address_logins: Rate = setting("20/60s burst 60", rate, "Of these, logins.")
    rate_failed_logins: Rate = setting(
        "10/600s", rate, "Failed logins with one e-mail address, from wherever; more get 429."
    )
    rate_address_uploads: Rate = setting("1/s burst 60", rate, "Of these, files sent.")

    # Watching it
    metrics_token: Secret | None = setting(
        "",
        hidden,
        "Bearer token for /metrics. Not set: only whoever asks on this very machine, past no proxy, is answered.",
    )

    # Stopping
    drain_spread_seconds: float = setting(
        "5", number(0, 300), "Told to come back, clients spread over this time, or longer where they are many."
    )
    drain_wait_seconds: float | None = setting(
        "auto",
        auto_or(number(0, 300)),
        "How long sockets stay open after that, so that clients are on another node first. `auto`: 0 with a `memory` "
        "bus, as there is no other node; else 5 s longer than all of them need at 250 a second.",
    )
    drain_flush_seconds: float = setting("2", number(0, 60), "How long what is still to be sent may take at the end.")

    @property
    def store_path(self) -> Path:
        """The database's file, where it is one."""
        return Path(self.store.removeprefix("sqlite:///"))

    @property
    def is_on_postgres(self) -> bool:
        return is_postgres(self.store)

    @property
    def is_alone(self) -> bool:
        """Whether this is the only node: others could only be heard by Redis."""
        return self.bus == "memory"

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The one that counts, and behind it the one that it replaces. Empty: they are kept in the data folder."""
        return tuple(each.reveal() for each in (self.secret, self.secret_before) if each)

    @property
    def is_https(self) -> bool:
        """Whether browsers come by https alone, so that cookies may say so."""
        return all(origin.scheme == "https" for origin in self.public_url)


TABLE: tuple[Setting, ...] = tuple(Setting(each.name, *each.metadata["setting"]) for each in fields(Settings))


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in this environment, by default the process's own. BadSettings names every problem at once."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    problems: list[str] = []
    known: dict[str, str] = {}
    for line in TABLE:
        variable, text = _given(line, environment)
        known[line.name] = text
        for part in MADE_OF:
            text = text.replace(f"{{{part}}}", known.get(part, ""))
        try:
            values[line.name] = line.parse(text)
        except ValueError as error:
            if known[line.name] == line.default:
                continue  # its default is made from another setting, whose own line tells what is wrong
            shown = "" if line.name in NEVER_SHOWN else f", not {text[:80]!r}"
            problems.append(f"{variable} must be {error}{shown}.")
    problems += _together(values)
    if problems:
        raise BadSettings(problems)
    if not values["host"]:
        values["host"] = "0.0.0.0" if "PORT" in environment else "127.0.0.1"
    return Settings(**values)


def unknown(environment: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each variable with our prefix that is no setting: likely a slip of the pen."""
    names = {line.variable for line in TABLE}
    for variable in sorted(set(environment) - names - NOT_SETTINGS):
        if variable.startswith(PREFIX):
            close = get_close_matches(variable, names, n=1)
            yield f"{variable} is no setting" + (f"; {close[0]} is one." if close else ".")


def _given(line: Setting, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that has the say, and its text. An empty one counts as not set."""
    for variable in (line.variable, line.platform):
        if variable and environment.get(variable, "").strip():
            return variable, environment[variable].strip()
    return line.variable, line.default


def _together(values: Mapping[str, Any]) -> Iterator[str]:
    """What is only wrong in company."""
    if values.get("secret_before") and values.get("secret", True) is None:
        yield "SHOPBELL_SECRET_BEFORE needs SHOPBELL_SECRET, which replaces it."
    if "ping_seconds" in values and "pong_seconds" in values and values["pong_seconds"] >= values["ping_seconds"]:
        yield "SHOPBELL_PONG_SECONDS must be less than SHOPBELL_PING_SECONDS."
    if "outbox_bytes" in values and "frame_bytes" in values and values["outbox_bytes"] < values["frame_bytes"]:
        yield "SHOPBELL_OUTBOX_BYTES must be at least SHOPBELL_FRAME_BYTES."
