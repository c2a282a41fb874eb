"""What the doctor says: one line per check, in plain words, and never with a secret in it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from gateway.log import without_secrets
from gateway.settings import Settings

Level = Literal["ok", "note", "fail"]
SHORTEST = 3  # characters of a password that is blotted out; a shorter one would blot out half of every sentence


class Finding(Struct, frozen=True):
    """What came of one check. A note is worth reading and nothing to stop for."""

    level: Level
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.subject}: {' '.join(self.text.split())}"


def well(subject: str, text: str) -> Finding:
    return Finding("ok", subject, text)


def note(subject: str, text: str) -> Finding:
    return Finding("note", subject, text)


def fail(subject: str, text: str) -> Finding:
    return Finding("fail", subject, text)


class Blotter:
    """Takes passwords and secrets out of a text: an engine's own words may repeat the URL that it was given."""

    def __init__(self, settings: Settings) -> None:
        secrets = {each.decode(errors="replace") for each in settings.secrets}
        if settings.metrics_token is not None:
            secrets.add(settings.metrics_token.reveal().decode(errors="replace"))
        for url in (settings.store, settings.bus, settings.presence, settings.files):
            secrets |= _passwords(url)
        self._secrets = sorted((each for each in secrets if len(each) >= SHORTEST), key=len, reverse=True)

    def clean(self, finding: Finding) -> Finding:
        """The same finding without them."""
        text = without_secrets(finding.text)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return Finding(finding.level, finding.subject, text)


def _passwords(url: str) -> set[str]:
    """As they are written and as they are meant."""
    try:
        parts = urlsplit(url)
        found = {parts.password or "", *(value for name, value in parse_qsl(parts.query) if "password" in name.lower())}
    except ValueError:
        return set()
    return found | {unquote(each) for each in found}
