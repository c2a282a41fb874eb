"""The way from a browser to the node, as it was seen from outside: what is wrong with it, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import orjson
from msgspec import Struct

from gateway.admission import PATH
from gateway.doctor.finding import Finding, fail, note, well
from gateway.origins import Origin
from gateway.protocol import CloseCode
from gateway.settings import Settings

PATIENCE_SECONDS = 5.0  # for a pong, and for a close frame
DOCS = "docs/operations.md has configurations that work."
UPGRADE = (
    "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
    "$connection_upgrade;"
)

Stage = Literal["name", "refused", "unreachable", "timeout", "certificate", "tls", "broken", "http", "open"]


class Answer(Struct, frozen=True):
    """How far a request came, and what was said there. Headers have lower-case names."""

    stage: Stage
    detail: str = ""
    status: int = 0
    headers: Mapping[str, str] = {}
    body: str = ""


class Held(Struct, frozen=True):
    """What became of an open socket. A code of 1006: it was cut without a close frame; 0: nothing happened in time."""

    pong_ms: float | None = None
    code: int = 0
    silence: float = 0.0
    silence_code: int = 0


class Seen(Struct, frozen=True):
    """All that was seen of one origin."""

    page: Answer
    upgrade: Answer | None = None
    held: Held | None = None


def judge(origin: Origin, seen: Seen, settings: Settings, *, is_node_here: bool) -> list[Finding]:
    """What was seen of one origin, in words. `is_node_here`: the node answers on its own port on this machine."""
    if seen.page.stage != "http":
        return [fail(str(origin), _unreached(origin, seen.page, is_node_here=is_node_here))]
    if trouble := _of_page(origin, seen.page, is_node_here=is_node_here):
        return [fail(str(origin), trouble)]
    if seen.upgrade is None or seen.upgrade.stage != "open":
        answer = seen.upgrade or seen.page
        text = _of_upgrade(origin, answer) if answer.stage == "http" else _unreached(origin, answer, is_node_here=True)
        return [fail(str(origin), f"pages come through, and the WebSocket doesn't: {text}")]
    held = seen.held or Held()
    if trouble := _of_talk(held, settings):
        return [fail(str(origin), f"a WebSocket opens and doesn't work: {trouble}")]
    return [well(str(origin), _praise(held)), *_notes(origin, seen.page, settings)]


def _unreached(origin: Origin, answer: Answer, *, is_node_here: bool) -> str:
    texts = {
        "name": f"{origin.host} can't be resolved: its DNS entry is missing, or SHOPBELL_PUBLIC_URL has a slip.",
        "timeout": "no answer in time: a firewall may drop the packets, or the address is another machine's.",
        "certificate": f"browsers won't trust its certificate: {answer.detail}. Renew it, serve it with the whole "
        f"chain, and see that it names {origin.host}.",
        "tls": f"TLS fails ({answer.detail}): does this port speak https? If it doesn't, SHOPBELL_PUBLIC_URL begins "
        "with http, or the proxy needs its certificate.",
        "broken": f"the connection is cut ({answer.detail}). Does this port speak {origin.scheme}?",
    }
    if answer.stage == "refused":
        if is_node_here:
            return (
                f"nothing listens at port {origin.port}, and the node runs. Start the proxy, or look at its `listen`."
            )
        return f"nothing listens at port {origin.port}. Start `shopbell serve`, and the proxy if there is one."
    return texts.get(answer.stage, f"it can't be reached: {answer.detail}.")


def _of_page(origin: Origin, page: Answer, *, is_node_here: bool) -> str:
    """What is wrong with the answer to /readyz; nothing: it is a node's and says that it is well."""
    status = status_of_node(page)
    if status == "ok":
        return ""
    if status == "draining":
        return "the node that answers is stopping. Ask again in a moment."
    if status:
        return f"the node that answers isn't ready: {status}. The line about the store says why."
    if page.status in (301, 302, 303, 307, 308):
        return (
            f"it leads on to {_target(page)}, and WebSockets don't follow. "
            "SHOPBELL_PUBLIC_URL must be the address where browsers end up."
        )
    if page.status in (502, 503, 504):
        where = "The node runs: look at the address that the proxy sends to." if is_node_here else "Is a node running?"
        return f"the proxy says {page.status}: it can't reach a node. {where}"
    if page.status in (401, 403):
        return f"something in front asks for a login or refuses ({page.status}): customers' browsers can't pass it."
    return (
        f"something else answers there ({page.status}{_by(page)}). The proxy must send everything under "
        f"{origin} to the nodes."
    )


def status_of_node(page: Answer) -> str:
    try:
        found = orjson.loads(page.body)
    except orjson.JSONDecodeError:
        return ""
    return str(found.get("status", "")) if isinstance(found, dict) and page.status in (200, 503) else ""


def _of_upgrade(origin: Origin, answer: Answer) -> str:
    by = _by(answer)
    if answer.status == 426 or (answer.status == 404 and '"not_found"' in answer.body):
        return f"the proxy{by} passes the request on without its Upgrade header. {UPGRADE} {DOCS}"
    if answer.status == 403 and "origin may not connect" in answer.body:
        return (
            f"the node refuses the origin {origin}. It runs with another SHOPBELL_PUBLIC_URL than this command, or the "
            "proxy changes the Origin header."
        )
    if answer.status in (401, 403):
        return f"something in front{by} refuses it ({answer.status}): a firewall for web applications, or a login."
    if answer.status == 429:
        return (
            "this address has opened too many sockets. If all customers come from the proxy's address, set "
            "SHOPBELL_TRUSTED_PROXIES to it."
        )
    if answer.status == 503 and "stopping" in answer.body:
        return "the node that answers is stopping. Ask again in a moment."
    if answer.status == 503 and "Too many" in answer.body:
        return "the node has too many handshakes at once. Ask again in a moment, and look at shopbell_handshakes_total."
    if answer.status in (502, 503, 504):
        return f"the proxy{by} says {answer.status}: it sends {PATH} elsewhere than the rest, or its nodes are away."
    if answer.status == 404:
        return f"the proxy{by} knows no {PATH}: send everything to the nodes, not only some paths. {DOCS}"
    if 300 <= answer.status < 400:
        return f"it leads on to {_target(answer)}, and WebSockets don't follow."
    return f"the answer{by} is {answer.status}, not 101: something in front doesn't know WebSockets. {UPGRADE} {DOCS}"


def _of_talk(held: Held, settings: Settings) -> str:
    """What is wrong with an open socket; nothing: it is well."""
    if held.pong_ms is None and held.code == 1006:
        return "it is cut at once. A proxy in between lets the handshake pass and nothing after it."
    if held.pong_ms is None:
        return (
            f"a ping isn't answered within {PATIENCE_SECONDS:g} s. A proxy in between holds frames back: switch its "
            "buffering off for this path, or let it pass upgraded connections through as they are."
        )
    if held.code == 0:
        return "a hello isn't answered. A proxy in between passes control frames on and holds texts back."
    if held.code == 1006:
        return "it is cut at the first text. A firewall that looks into frames may stand between."
    if held.silence_code == 1006:
        return (
            f"it was cut after {held.silence:.0f} s of silence. Nodes ping every {settings.ping_seconds:g} s, so "
            "whatever stands between must bear 60 s (nginx: proxy_read_timeout 75s; proxy_send_timeout 75s;)."
        )
    return ""


def _praise(held: Held) -> str:
    text = f"a WebSocket opens, a ping takes {held.pong_ms or 0:.0f} ms, and it is closed properly ({held.code})."
    if held.silence_code == CloseCode.HELLO_EXPECTED:
        text += f" {held.silence:.0f} s of silence are borne."
    return text


def _notes(origin: Origin, page: Answer, settings: Settings) -> list[Finding]:
    found = []
    if _by(page) and not settings.trusted_proxies:
        found.append(
            note(
                str(origin),
                f"a proxy{_by(page)} stands in front, and SHOPBELL_TRUSTED_PROXIES isn't set: all customers seem to "
                "come from its address, and share the limits of one.",
            )
        )
    if origin.scheme == "http" and not _is_here(origin.host):
        found.append(note(str(origin), "it isn't https: whoever stands between reads everything, logins too."))
    return found


def _target(answer: Answer) -> str:
    return answer.headers.get("location", "somewhere else")[:200]


def _by(answer: Answer) -> str:
    """Who says so, if it isn't a node: those say nothing of themselves."""
    who = answer.headers.get("server") or answer.headers.get("via") or ""
    return f" ({who[:60]})" if who else ""


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
