"""The queue: what waits for whom, in which order, at which place, and when no more are let in. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from chat.model import Conversation, Routing, TeamRules

_NEVER = Routing()


class Waiting(Struct, frozen=True, gc=False):
    """A conversation that waits, and what is wanted for it."""

    conversation: Conversation
    teams: tuple[str, ...]
    """Who answers for it: its own team alone, or all of its inbox, the oldest first. None: nobody is routed to."""
    skills: tuple[str, ...] = ()
    """What whoever gets it should know; the contact's language is one: `th`, `pt-br`."""
    known: str | None = None
    """The member who had this contact last."""

    @property
    def queued_at(self) -> int:
        return queued_at(self.conversation)

    @property
    def passed(self) -> tuple[str, ...]:
        return (self.conversation.routing or _NEVER).passed


def waiting(
    conversation: Conversation,
    inboxes: Mapping[str, tuple[str, ...]],
    skills: Iterable[str] = (),
    known: str | None = None,
) -> Waiting:
    """A conversation of the queue with the teams that answer for it."""
    teams = inboxes.get(conversation.inbox, ()) if conversation.team is None else (conversation.team,)
    return Waiting(conversation, teams, tuple(dict.fromkeys(map(plain, skills))), known)


def queued_at(conversation: Conversation) -> int:
    """Since when it has its place in the queue (ms)."""
    routing = conversation.routing or _NEVER
    return routing.queued_at or conversation.waiting_since or conversation.created_at


def turn(conversation: Conversation) -> tuple[bool, int, int, str]:
    """Conversations are served in this order: the live ones, of those the urgent ones, of those the oldest. Of those
    that wait since the same millisecond any may come first, the same for all who ask."""
    routing = conversation.routing or _NEVER
    return routing.left, -conversation.priority, queued_at(conversation), conversation.id


def places(waiting: Iterable[Waiting]) -> dict[str, int]:
    """Each conversation's place, from 1, among those that wait for the same first team.

    Who has only left a message doesn't wait and has none; who waits for no team has none either.
    """
    found: dict[str, int] = {}
    ahead: Counter[str] = Counter()
    for each in sorted(waiting, key=lambda each: turn(each.conversation)):
        if each.teams and not (each.conversation.routing or _NEVER).left:
            ahead[each.teams[0]] += 1
            found[each.conversation.id] = ahead[each.teams[0]]
    return found


def is_full(rules: TeamRules, length: int, was_full: bool) -> bool:
    """Whether a queue of this length takes nobody more: from its limit on, until it is shorter than its threshold."""
    if rules.queue_limit is None:
        return False
    if length >= rules.queue_limit:
        return True
    return was_full and rules.queue_reopen is not None and length >= rules.queue_reopen


def lacking(skills: Iterable[str], wanted: Iterable[str]) -> int:
    """How many of the wanted skills somebody with these lacks. `pt` is as good as `pt-br`, not the other way round."""
    own = {plain(skill) for skill in skills}
    return sum(not any(known in own for known in _broader(plain(each))) for each in wanted)


def plain(skill: str) -> str:
    """The skill as it is compared: `pt_BR ` and `pt-br` are one."""
    return skill.strip().casefold().replace("_", "-")


def _broader(skill: str) -> list[str]:
    """The skill itself and what it is a part of: `zh-hant-tw`, `zh-hant`, `zh`."""
    parts = skill.split("-")
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
