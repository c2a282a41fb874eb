"""One line per check, and no secret in any of them, however an engine words its error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway import settings
from gateway.doctor.finding import Blotter, fail, note, well

SECRETS = {
    "SHOPBELL_SECRET": "the-secret-of-this-installation-0123456789",
    "SHOPBELL_METRICS_TOKEN": "the-token-of-its-metrics-0123456789-abc",
    "SHOPBELL_STORE": "postgresql://bell:hunter2@db/bell",
    "SHOPBELL_BUS": "redis://bell:p%40ss-word@redis:6379/0",
}
NEVER = (
    "the-secret-of-this-installation-0123456789",
    SECRETS["SHOPBELL_METRICS_TOKEN"],
    "hunter2",
    "p%40ss-word",
    "p@ss-word",
)


def test_a_finding_is_one_line() -> None:
    assert str(well("store", "it is\nthere")) == "ok    store: it is there"
    assert str(fail("bus", "it is away.")) == "fail  bus: it is away."


@given(st.lists(st.sampled_from([*SECRETS.values(), *NEVER, "plain words", " "]), max_size=8))
def test_no_secret_is_said(parts: list[str]) -> None:
    blotter = Blotter(settings.read(SECRETS))

    said = str(blotter.clean(note("store", "".join(parts))))

    assert [secret for secret in NEVER if secret in said] == []
    assert "plain words" in said or "plain words" not in parts


def test_a_very_short_password_doesnt_blot_out_every_sentence() -> None:
    blotter = Blotter(settings.read({"SHOPBELL_STORE": "postgresql://bell:e@db/bell"}))

    assert blotter.clean(note("store", "a sentence")).text == "a sentence"


def test_tokens_are_known_by_their_shape() -> None:
    blotter = Blotter(settings.read({}))

    assert "0123" not in blotter.clean(note("store", "sbt_0123456789abcdefghij")).text
