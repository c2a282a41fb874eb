"""A peer's life as transcripts: what it says, what it hears, and what the session does to the world."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.catalog import Command, Signalling
from chat.errors import Busy, Changed, NotFound, Taken
from chat.model import Actor, Ask
from chat.ticket import Done
from gateway.limits import Meter, Rate
from gateway.protocol import CloseCode, Hello
from gateway.session import ERRORS, STRIKES, Session, SessionLimits
from tests.builders import DANA, ECHO, NOA, an_id

C = "cnv_parcel"
WIDE = SessionLimits(inflight=4, messages=Meter(Rate(1000, 1000)), frames=Meter(Rate(1000, 1000)))
HELLO = {"type": "hello", "protocol": 1, "token": "secret"}


class Transcript:
    """A session and its peer. All effects are looked at in their order; `is_over` says that none was left out."""

    def __init__(self) -> None:
        self.session = Session(self)
        self.log: list[Any] = []
        self.now = 100.0
        self.is_busy = False

    def says(self, frame: dict[str, Any] | bytes) -> Transcript:
        self.session.receive(frame if isinstance(frame, bytes) else json.dumps(frame).encode(), self.now)
        return self

    def hears(self, type: str, **fields: Any) -> Transcript:
        """The next effect is a frame to the peer with these fields, maybe among others."""
        frame = self.log.pop(0)
        assert isinstance(frame, dict), frame
        assert {"type": type, **fields}.items() <= frame.items(), frame
        return self

    def does(self, *effects: str) -> Transcript:
        """The next effects are these."""
        done, self.log = self.log[: len(effects)], self.log[len(effects) :]
        assert done == list(effects)
        return self

    def is_over(self) -> None:
        assert self.log == []

    # --- the session's Peer ------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        self.log.append(json.loads(payload))

    def close(self, code: int) -> None:
        self.log.append(f"close {int(code)}")

    def arrive(self, hello: Hello) -> None:
        self.log.append(f"arrive with {hello.token}")

    def submit(self, command: Command, ask: Ask, size: int) -> None:
        if self.is_busy:
            raise Busy
        self.log.append(f"submit {command.name}")

    def signal(self, signalling: Signalling, ask: Ask) -> None:
        self.log.append(f"signal {signalling.name}")

    def watch(self, conversations: list[str]) -> None:
        self.log.append(f"watch {' '.join(conversations)}")

    def hold(self) -> None:
        self.log.append("hold")

    def go_on(self) -> None:
        self.log.append("go on")

    def idle(self) -> None:
        self.log.append("idle")


def a_live(actor: Actor = DANA, limits: SessionLimits = WIDE) -> Transcript:
    """A transcript after hello and welcome."""
    transcript = Transcript().says(HELLO).does("hold", "arrive with secret")
    transcript.session.live(actor, limits)
    return transcript.does("go on")


def a_send(ref: int | None = 1) -> dict[str, Any]:
    frame = {"type": "message.send", "id": an_id(1), "conversation": C, "text": "Hello"}
    return frame if ref is None else frame | {"ref": ref}


# --- hello -----------------------------------------------------------------------------------------------------------


def test_a_hello_arrives_and_nothing_is_read_until_the_peer_is_known() -> None:
    transcript = Transcript()

    transcript.says(HELLO | {"batch": True})
    transcript.does("hold", "arrive with secret").is_over()

    assert (transcript.session.state, transcript.session.batch) == ("arriving", True)
    transcript.session.live(NOA, WIDE)
    transcript.does("go on").is_over()
    assert transcript.session.actor == NOA


@pytest.mark.parametrize(
    "frame",
    [
        a_send(),
        {"type": "pong", "n": 1},
        {"type": "typing", "conversation": C, "on": True},
        {"type": "watch", "ref": 1, "conversations": []},
        {"type": "nonsense"},
        {"type": "hello"},
        {"type": "hello", "protocol": 1, "token": 7},
        {"type": "hello", "protocol": "1", "token": "secret"},
        {},
    ],
    ids=str,
)
def test_the_first_frame_must_be_a_hello(frame: dict[str, Any]) -> None:
    Transcript().says(frame).does("close 4004").is_over()


def test_another_version_of_the_protocol_is_not_spoken() -> None:
    Transcript().says(HELLO | {"protocol": 2}).does("close 4001").is_over()


def test_a_second_hello_is_one_too_many() -> None:
    a_live().says(HELLO).does("close 4004").is_over()


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b"[]", b"1", b"null", b'"hello"', b"[" * 9, b'{"a":NaN}'])
def test_what_is_no_object_ends_the_connection_at_any_time(data: bytes) -> None:
    Transcript().says(data).does("close 4003").is_over()
    a_live().says(data).does("close 4003").is_over()


def test_what_is_no_utf8_ends_the_connection_with_the_websockets_own_code() -> None:
    a_live().says(b'{"type":"pong","x":"\xff"}').does("close 1007").is_over()


# --- asks ------------------------------------------------------------------------------------------------------------


def test_an_ask_is_submitted_and_answered_under_its_ref() -> None:
    transcript = a_live().says(a_send(ref=7)).does("submit message.send")

    transcript.session.answered(7, Done(C, 42, 1000))

    transcript.hears("ok", ref=7, conversation=C, seq=42, at=1000).is_over()


def test_a_resend_is_told_that_it_is_one() -> None:
    transcript = a_live().says(a_send(ref=7)).does("submit message.send")

    transcript.session.answered(7, Done(C, 42, 1000, again=True))

    transcript.hears("ok", ref=7, again=True).is_over()


def test_a_refusal_says_why() -> None:
    transcript = a_live(NOA).says({"type": "conversation.claim", "ref": 3, "id": an_id(1), "conversation": C})

    transcript.session.answered(3, Taken())

    transcript.does("submit conversation.claim").hears("refused", ref=3, code="taken", retry=False).is_over()


def test_who_has_become_another_is_told_to_come_back_instead_of_being_refused() -> None:
    transcript = a_live().says(a_send())

    transcript.session.answered(7, Changed())

    transcript.does("submit message.send").does("close 4202").is_over()


def test_an_ask_without_ref_is_answered_only_when_refused() -> None:
    transcript = a_live().says(a_send(ref=None)).does("submit message.send")
    transcript.session.answered(None, Done(C, 42, 1000))
    transcript.is_over()

    transcript.says(a_send(ref=None)).does("submit message.send")
    transcript.session.answered(None, NotFound(field="conversation"))
    transcript.hears("refused", code="not_found", field="conversation").is_over()


def test_what_the_ledger_has_no_room_for_is_refused_and_not_in_flight() -> None:
    transcript = a_live()
    transcript.is_busy = True
    for ref in range(10):
        transcript.says(a_send(ref)).hears("refused", ref=ref, code="busy", retry=True)

    transcript.is_busy = False
    transcript.says(a_send(11)).does("submit message.send").is_over()


def test_with_so_many_in_flight_nothing_more_is_read_until_half_are_answered() -> None:
    transcript = a_live()
    for ref in range(3):
        transcript.says(a_send(ref)).does("submit message.send")
    transcript.says(a_send(3)).does("submit message.send", "hold").is_over()

    transcript.session.answered(0, Done(C, 1, 0))
    transcript.hears("ok", ref=0).is_over()
    transcript.session.answered(1, Done(C, 2, 0))

    transcript.hears("ok", ref=1).does("go on").is_over()


def test_a_window_of_one_works() -> None:
    transcript = a_live(limits=SessionLimits(1, Meter(Rate(1000, 1000)), Meter(Rate(1000, 1000))))

    for ref in range(3):
        transcript.says(a_send(ref)).does("submit message.send", "hold")
        transcript.session.answered(ref, Done(C, 1, 0))
        transcript.hears("ok", ref=ref).does("go on").is_over()


def test_signals_go_their_own_way_and_are_not_answered() -> None:
    a_live().says({"type": "typing", "conversation": C, "on": True}).does("signal typing").is_over()


def test_pongs_need_no_answer() -> None:
    a_live().says({"type": "pong", "n": 7}).does("idle").is_over()


# --- watch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [NOA, ECHO], ids=["agent", "bot"])
def test_staff_says_what_it_watches(actor: Actor) -> None:
    transcript = a_live(actor)

    transcript.says({"type": "watch", "ref": 5, "conversations": [C, "cnv_other"]})

    transcript.hears("ok", ref=5).does(f"watch {C} cnv_other").is_over()


def test_a_watch_without_ref_is_not_answered() -> None:
    a_live(NOA).says({"type": "watch", "conversations": []}).does("watch ").is_over()


def test_for_a_contact_there_is_no_watch() -> None:
    transcript = a_live(DANA)

    transcript.says({"type": "watch", "ref": 5, "conversations": [C]})

    transcript.hears("refused", ref=5, code="unknown_type", retry=False).is_over()


def test_nobody_watches_more_than_fifty() -> None:
    transcript = a_live(NOA)
    names = [f"cnv_{n}" for n in range(51)]

    transcript.says({"type": "watch", "ref": 1, "conversations": names})
    transcript.hears("refused", ref=1, code="bad_request", field="conversations").is_over()

    transcript.says({"type": "watch", "ref": 2, "conversations": names[:50]}).hears("ok", ref=2)


# --- nonsense --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code", "field"),
    [
        ({"type": "message.delete", "ref": 1}, "unknown_type", "type"),
        ({"ref": 1}, "unknown_type", "type"),
        ({"type": 7, "ref": 1}, "unknown_type", "type"),
        (a_send() | {"text": "x" * 8001}, "too_large", "text"),
        (a_send() | {"text": 7}, "bad_request", "text"),
        (a_send() | {"text": "a\0b"}, "bad_request", None),
        (a_send() | {"id": "not-an-id"}, "bad_request", "id"),
        (a_send() | {"id": an_id(0xABCDEF).upper()}, "bad_request", "id"),
        (a_send() | {"id": an_id(1) + "\n"}, "bad_request", "id"),
        (a_send() | {"conversation": None}, "bad_request", "conversation"),
        ({"type": "message.send", "ref": 1, "id": an_id(1), "text": "x"}, "bad_request", "conversation"),
        ({"type": "read", "ref": 1, "conversation": C, "seq": -1}, "bad_request", "seq"),
        ({"type": "read", "ref": 1, "conversation": C, "seq": 2**53}, "bad_request", "seq"),
        ({"type": "read", "ref": 1, "conversation": C, "seq": 10**400}, "bad_request", "seq"),
        ({"type": "typing", "ref": 1, "conversation": C, "on": "yes"}, "bad_request", "on"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_nonsense_is_refused_with_the_field_at_fault(frame: dict[str, Any], code: str, field: str | None) -> None:
    transcript = a_live().says(frame)

    transcript.hears("refused", ref=1, code=code, retry=False, **({"field": field} if field else {})).is_over()


def test_after_so_much_nonsense_the_connection_ends() -> None:
    transcript = a_live()
    for ref in range(ERRORS - 1):
        transcript.says({"type": "nonsense", "ref": ref}).hears("refused", ref=ref)
    transcript.is_over()

    transcript.says({"type": "nonsense"}).hears("refused").does("close 4012").is_over()


def test_refusals_of_the_ledger_are_no_nonsense() -> None:
    transcript = a_live()

    for ref in range(ERRORS * 2):
        transcript.says(a_send(ref)).does("submit message.send")
        transcript.session.answered(ref, NotFound())
        transcript.hears("refused", ref=ref)

    assert all(effect == "go on" for effect in transcript.log)


# --- rates -----------------------------------------------------------------------------------------------------------


def test_messages_beyond_the_rate_are_refused_until_some_time_has_passed() -> None:
    transcript = a_live(limits=SessionLimits(16, messages=Meter(Rate(1, 2)), frames=Meter(Rate(1000, 1000))))
    transcript.says(a_send(1)).says(a_send(2)).does("submit message.send", "submit message.send")

    transcript.says(a_send(3)).hears("refused", ref=3, code="rate_limited", retry=True, after_ms=1001).is_over()

    transcript.now += 1.0
    transcript.says(a_send(3)).does("submit message.send").is_over()


def test_all_sockets_of_an_actor_share_one_rate_of_messages() -> None:
    limits = SessionLimits(16, messages=Meter(Rate(1, 2)), frames=Meter(Rate(1000, 1000)))
    one, two = a_live(limits=limits), a_live(limits=limits)
    one.says(a_send(1)).does("submit message.send")
    two.says(a_send(2)).does("submit message.send")

    one.says(a_send(3)).hears("refused", ref=3, code="rate_limited")

    a_live(NOA, limits).says(a_send(1)).does("submit message.send").is_over()


def test_a_second_limit_over_a_longer_time_costs_nothing_when_it_refuses() -> None:
    limits = SessionLimits(16, Meter(Rate(1, 3)), Meter(Rate(1000, 1000)), longer=Meter(Rate(0.5, 2)))
    transcript = a_live(limits=limits)
    transcript.says(a_send(1)).says(a_send(2)).does("submit message.send", "submit message.send")

    for _ in range(5):
        transcript.says(a_send(3)).hears("refused", code="rate_limited", after_ms=2001)

    transcript.now += 2.0
    transcript.says(a_send(3)).does("submit message.send").is_over()


def test_positions_and_signals_cost_no_messages() -> None:
    transcript = a_live(limits=SessionLimits(16, messages=Meter(Rate(1, 1)), frames=Meter(Rate(1000, 1000))))
    transcript.says(a_send()).does("submit message.send")

    transcript.says({"type": "read", "conversation": C, "seq": 1}).does("submit read")
    transcript.says({"type": "typing", "conversation": C, "on": True}).does("signal typing").is_over()


def test_whoever_goes_on_sending_too_many_frames_is_closed() -> None:
    transcript = a_live(limits=SessionLimits(16, messages=Meter(Rate(1000, 1000)), frames=Meter(Rate(1, 2))))
    typing = {"type": "typing", "conversation": C, "on": True}
    transcript.says(typing).says(typing).does("signal typing", "signal typing")

    for _ in range(STRIKES - 1):
        transcript.says(typing).hears("refused", code="rate_limited", retry=True).is_over()

    transcript.says(typing).does("close 4108")


def test_a_new_socket_is_no_new_allowance_of_frames() -> None:
    limits = SessionLimits(16, messages=Meter(Rate(1000, 1000)), frames=Meter(Rate(1, 2)))
    typing = {"type": "typing", "conversation": C, "on": True}
    a_live(limits=limits).says(typing).says(typing).does("signal typing", "signal typing")

    a_live(limits=limits).says(typing).hears("refused", code="rate_limited").is_over()
    a_live(NOA, limits).says(typing).does("signal typing").is_over()


def test_answering_pings_is_never_too_much() -> None:
    transcript = a_live(limits=SessionLimits(16, messages=Meter(Rate(1, 1)), frames=Meter(Rate(1, 1))))

    for n in range(1000):
        transcript.says({"type": "pong", "n": n}).does("idle").is_over()


def test_every_code_that_a_session_closes_with_is_in_the_table() -> None:
    assert {4001, 4003, 4004, 4012, 4108} <= set(map(int, CloseCode))
