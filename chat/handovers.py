"""What changes hands when a shift ends: what an agent has handed over, and what it got from whom."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder
from sqlalchemy import BigInteger, BindParameter, Connection, Select, and_, bindparam, select

from chat.belonging import account_key, must_be
from chat.logs import candidates_of
from chat.model import Conversation
from chat.store import Scoped, Store
from chat.store.tables import agents, conversations, routing_log, status_log

LIMIT = 200  # of each kind: more than anybody has in hand


class Handover(Struct, frozen=True):
    """When (ms) a conversation was taken out of whose hands, and the conversation as it is now."""

    at: int
    state: Conversation
    giver: str = field(name="from")


class HandedOver(Struct, frozen=True):
    """The newest first. `given`: what the asker had in hand when its shift ended, lately. `taken`: what is in the
    asker's hands since somebody else's ended, and nobody has said anything there yet."""

    given: list[Handover]
    taken: list[Handover]


_decode = Decoder(Conversation).decode
_MEMBER: BindParameter[str] = bindparam("member")
_IS_HANDOVER = and_(routing_log.c.account == bindparam("account"), routing_log.c.kind == "handed_over")
# One transaction writes down that a shift is over and what is handed over by that, so both have the same moment.
_ENDS = select(status_log.c.at).where(
    status_log.c.member == _MEMBER,
    status_log.c.at > bindparam("since", type_=BigInteger),
    status_log.c.reason.in_(("off_shift", "time_off")),
)


def _lines(*wanted: Any) -> Select[Any]:
    return (
        select(routing_log.c.at, routing_log.c.candidates, conversations.c.state)
        .join(conversations, conversations.c.id == routing_log.c.conversation)
        .where(_IS_HANDOVER, conversations.c.account == bindparam("account"), *wanted)
        .order_by(routing_log.c.at.desc(), routing_log.c.key.desc())
        .limit(LIMIT)
    )


_GIVEN = _lines(routing_log.c.at.in_(_ENDS))
_TAKEN = _lines(conversations.c.status == "open", conversations.c.assignee == _MEMBER)


class Handovers:
    """May raise Unavailable, and NotFound for who isn't there or is another account's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, agent: Scoped, since: int) -> HandedOver:
        """What an agent gave at ends of shifts after a moment (ms), and what it took over, whenever that was."""

        def work(connection: Connection) -> HandedOver:
            must_be(connection, agents, agent)
            me = agent[1]
            values = {"account": account_key(connection, agent[0]), "member": me, "since": since}
            given = [each for each in _read(connection, _GIVEN, values) if each.giver == me]
            taken = [each for each in _read(connection, _TAKEN, values) if each.giver != me and _is_new(each.state)]
            return HandedOver(given, taken)

        return await self._store.inspect(work)


def _read(connection: Connection, lines: Select[Any], values: dict[str, Any]) -> list[Handover]:
    """Of each conversation the last time."""
    found: dict[str, Handover] = {}
    for at, candidates, document in connection.execute(lines, values):
        state, givers = _decode(document), candidates_of(candidates)
        if givers and state.id not in found:
            found[state.id] = Handover(at, state, givers[0].member)
    return list(found.values())


def _is_new(conversation: Conversation) -> bool:
    """Whether whoever got it hasn't said anything yet."""
    return conversation.routing is not None and conversation.routing.unanswered
