"""Who gets which conversation, and why nobody else does. Pure.

Conversations are served one after the other, in their order, and each goes to the best of those who could take it now.
So nothing is passed over for something behind it, and nothing waits while somebody of its teams could take it, but
where it waits for a skill, or for its own team before an overflow team is asked.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from itertools import islice

from msgspec import Struct

from chat.model import Candidate, Decision, Member, Standing, TeamRules
from chat.waiting import Waiting, lacking, turn

CANDIDATES = 200  # rows of one decision: a team of thousands would fill the log

_NOWHERE = Standing("offline", "unknown", None, False, "off_shift")

_Rank = tuple[bool, bool, int, bool]
"""Whether a member passed, is of an overflow team, how many skills it lacks, and whether somebody else is known."""
_AHEAD = ("passed", "overflow", "skill", "not_known")
_Turn = tuple[bool, float, int, int, int, str]
"""Where a member stands by its team's policy. Smaller comes first; its id is last."""
_Best = tuple[str, _Rank | None, _Turn]
"""Who was chosen, and why."""
_Key = tuple[tuple[str, ...], str, bool]
"""Teams, a policy, and whether bots come first."""


def route(
    waiting: Iterable[Waiting],
    members: Mapping[str, Member],
    used: Mapping[str, int],
    standings: Mapping[str, Standing],
    rules: Mapping[str, TeamRules],
    now: int,
    by: str,
) -> list[Decision]:
    """Who gets what now: a decision for each conversation that somebody gets, in the order of the queue.

    `used` are the open conversations in each one's hands; who isn't there has none. Nobody gets more than its slots,
    whatever the standings say, and what is given here counts. A decision's `team` is the one that its member took it
    for: of an overflow team's member not the conversation's own. The same values give the same decisions, in whatever
    order they come.
    """
    floor = _Floor(members, used, standings, rules, now)
    served = (floor.serve(each, by) for each in sorted(waiting, key=lambda each: turn(each.conversation)))
    return [decision for decision in served if decision is not None]


def kept_waiting(
    waiting: Waiting,
    members: Mapping[str, Member],
    used: Mapping[str, int],
    standings: Mapping[str, Standing],
    rules: Mapping[str, TeamRules],
    now: int,
    by: str,
) -> Decision:
    """Why nobody has this one: a decision for nobody. Whoever could take it but for those ahead has `later_turn`."""
    return _Floor(members, used, standings, rules, now).explain(waiting, by)


class _Asked(Struct, frozen=True):
    """Who is asked for one conversation."""

    lead: TeamRules
    """The rules that count: those of the first team that anything is routed to."""
    teams: tuple[str, ...]
    overflow: tuple[str, ...]
    holds_out: bool
    """Whether only those with all wanted skills are asked."""
    known: str | None
    """Who had the contact last, if it could take it again."""


class _Floor:
    """Everybody as they stand while conversations are given out."""

    def __init__(
        self,
        members: Mapping[str, Member],
        used: Mapping[str, int],
        standings: Mapping[str, Standing],
        rules: Mapping[str, TeamRules],
        now: int,
    ) -> None:
        self._members = members
        self._used = dict(used)
        self._standings = standings
        self._rules = rules
        self._now = now
        self._assigned_at: dict[str, tuple[int, int]] = {}
        """Of those who were given something here: now, and which of all it was."""
        self._given = 0
        self._teams: dict[tuple[str, ...], frozenset[str]] = {}
        self._duty: dict[tuple[str, ...], set[str]] = {}
        self._pools: dict[_Key, list[_Turn]] = {}
        self._lacking: dict[tuple[tuple[str, ...], str], int] = {}

    def serve(self, waiting: Waiting, by: str) -> Decision | None:
        asked = self._asked(waiting)
        best = self._best(waiting, asked) if asked else None
        if asked is None or best is None:
            return None
        rows = self._rows(waiting, asked, best)
        self._give(best)
        of = (team for team in asked.teams + asked.overflow if best in self._rules[team].members)
        account, conversation = self._members[best].account, waiting.conversation.id
        return Decision(account, conversation, self._now, "routed", best, next(of), by, rows)

    def explain(self, waiting: Waiting, by: str) -> Decision:
        asked = self._asked(waiting)
        account = next((member.account for member in self._members.values()), "")
        team, rows = (asked.lead.id, self._rows(waiting, asked, None)) if asked else (None, ())
        return Decision(account, waiting.conversation.id, self._now, "kept_waiting", None, team, by, rows)

    # --- who is asked ----------------------------------------------------------------------------------------

    def _asked(self, waiting: Waiting) -> _Asked | None:
        teams = self._routed(waiting.teams)
        if not teams:
            return None
        lead = self._rules[teams[0]]
        waited = self._now - waiting.queued_at
        overflow: tuple[str, ...] = ()
        # It is of no use to wait for a team of which nobody is there.
        if lead.overflow and (waited >= lead.overflow_seconds * 1000 or not self._on_duty(teams)):
            overflow = tuple(team for team in self._routed(lead.overflow) if team not in teams)
        everybody = teams + overflow
        holds_out = bool(waiting.skills) and (
            lead.needs_skills
            or (waited < lead.skills_after_seconds * 1000 and self._somebody_knows(waiting.skills, everybody))
        )
        known = waiting.known if lead.prefers_known else None
        if known is not None and not (known in self._on_duty(everybody) and self._is_free(known)):
            known = None
        return _Asked(lead, teams, overflow, holds_out, known)

    def _routed(self, teams: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(team for team in teams if team in self._rules and self._rules[team].policy != "manual")

    def _of(self, teams: tuple[str, ...]) -> frozenset[str]:
        if teams not in self._teams:
            named = {id_ for team in teams for id_ in self._rules[team].members}
            self._teams[teams] = frozenset(id_ for id_ in named if id_ in self._members)
        return self._teams[teams]

    def _on_duty(self, teams: tuple[str, ...]) -> set[str]:
        """Who accepts, or would if a slot were free."""
        if teams not in self._duty:
            self._duty[teams] = {id_ for id_ in self._of(teams) if self._is_on_duty(id_)}
        return self._duty[teams]

    def _is_on_duty(self, id_: str) -> bool:
        member, standing = self._members[id_], self._standing(id_)
        return (
            member.active
            and member.slots > 0  # who only watches isn't waited for
            and (standing.status == "accepting_chats" or standing.reason == "full")
        )

    def _standing(self, id_: str) -> Standing:
        return self._standings.get(id_, _NOWHERE)

    def _somebody_knows(self, skills: tuple[str, ...], teams: tuple[str, ...]) -> bool:
        return any(self._lacks(id_, skills) == 0 for id_ in self._on_duty(teams))

    def _lacks(self, id_: str, skills: tuple[str, ...]) -> int:
        found = self._lacking.get((skills, id_))
        if found is None:
            found = self._lacking[skills, id_] = lacking(self._members[id_].skills, skills)
        return found

    # --- the choice ------------------------------------------------------------------------------------------

    def _best(self, waiting: Waiting, asked: _Asked) -> str | None:
        best: tuple[_Rank, str] | None = None
        for teams in (asked.teams, asked.overflow):
            for *_, id_ in self._pool(teams, asked.lead):
                rank = self._rank(id_, waiting, asked)
                if rank is None or (best is not None and rank >= best[0]):
                    continue
                best = rank, id_
                if rank == (False, False, 0, False):  # nobody can be better
                    return id_
        return None if best is None else best[1]

    def _rank(self, id_: str, waiting: Waiting, asked: _Asked) -> _Rank | None:
        """None for whom it isn't given to, though there is a slot."""
        passed, is_own = id_ in waiting.passed, id_ in self._of(asked.teams)
        if passed and (_is_bot(id_) or (not is_own and self._is_to_come(waiting, asked))):
            return None  # a bot is dead, or has handed over; whoever transferred it doesn't get it straight back
        lacks = self._lacks(id_, waiting.skills) if waiting.skills else 0
        if lacks and asked.holds_out:
            return None
        return passed, not is_own, lacks, asked.known is not None and asked.known != id_

    def _is_to_come(self, waiting: Waiting, asked: _Asked) -> bool:
        """Whether somebody of its own teams will take it once a slot is free, and had it not before."""
        ours = self._on_duty(asked.teams).difference(waiting.passed)
        return any(not (asked.holds_out and self._lacks(id_, waiting.skills)) for id_ in ours)

    def _pool(self, teams: tuple[str, ...], lead: TeamRules) -> list[_Turn]:
        """Who of these could take something, as the policy has them."""
        key = teams, lead.policy, lead.bots_first
        if key not in self._pools:
            self._pools[key] = sorted(self._turn(id_, key) for id_ in self._on_duty(teams) if self._is_free(id_))
        return self._pools[key]

    def _is_free(self, id_: str) -> bool:
        return self._standing(id_).status == "accepting_chats" and self._in_hand(id_) < self._members[id_].slots

    def _in_hand(self, id_: str) -> int:
        return self._used.get(id_, 0)

    def _turn(self, id_: str, key: _Key) -> _Turn:
        _, policy, bots_first = key
        member, used = self._members[id_], self._in_hand(id_)
        comes_later = _is_bot(id_) != bots_first
        last, nth = self._assigned_at.get(id_, (member.assigned_at, 0))
        if policy == "round_robin":
            return comes_later, 0.0, 0, last, nth, id_
        return comes_later, used / member.slots, used, last, nth, id_

    def _give(self, id_: str) -> None:
        pools = [(key, pool) for key, pool in self._pools.items() if id_ in self._of(key[0])]
        for key, pool in pools:
            del pool[bisect_left(pool, self._turn(id_, key))]
        self._used[id_] = self._in_hand(id_) + 1
        self._given += 1
        self._assigned_at[id_] = self._now, self._given
        if self._is_free(id_):
            for key, pool in pools:
                insort(pool, self._turn(id_, key))

    # --- the reasons -----------------------------------------------------------------------------------------

    def _rows(self, waiting: Waiting, asked: _Asked, chosen: str | None) -> tuple[Candidate, ...]:
        """The chosen one, the others with a slot as the policy has them, then everybody else."""
        free = (each[-1] for teams in (asked.teams, asked.overflow) for each in self._pool(teams, asked.lead))
        looked_at = dict.fromkeys(() if chosen is None else (chosen,))
        looked_at |= dict.fromkeys(free)
        if len(looked_at) < CANDIDATES:
            looked_at |= dict.fromkeys(sorted(self._of(asked.teams + asked.overflow)))
        best = (
            None if chosen is None else (chosen, self._rank(chosen, waiting, asked), self._turn_in(asked.lead, chosen))
        )
        return tuple(self._row(id_, waiting, asked, best) for id_ in islice(looked_at, CANDIDATES))

    def _row(self, id_: str, waiting: Waiting, asked: _Asked, best: _Best | None) -> Candidate:
        member, standing = self._members[id_], self._standing(id_)
        return Candidate(
            id_,
            standing.status,
            standing.reason,
            standing.is_present,
            member.availability,
            standing.shift,
            self._in_hand(id_),
            member.slots,
            self._verdict(id_, waiting, asked, best),
        )

    def _verdict(self, id_: str, waiting: Waiting, asked: _Asked, best: _Best | None) -> str:
        if best is not None and id_ == best[0]:
            return "chosen"
        standing = self._standing(id_)
        if not self._members[id_].active:
            return "inactive"
        if standing.status != "accepting_chats":
            return standing.reason or standing.status
        if not self._is_free(id_):
            return "full"
        rank = self._rank(id_, waiting, asked)
        if rank is None:
            return "passed" if id_ in waiting.passed else "skill"
        if best is None or best[1] is None:
            return "later_turn"
        if rank != best[1]:
            return next(why for mine, theirs, why in zip(rank, best[1], _AHEAD, strict=True) if mine != theirs)
        mine, theirs = self._turn_in(asked.lead, id_), best[2]
        if mine[0] != theirs[0]:
            return "people_first" if _is_bot(id_) else "bots_first"
        return "busier" if mine[1:3] != theirs[1:3] else "later_turn"

    def _turn_in(self, lead: TeamRules, id_: str) -> _Turn:
        return self._turn(id_, ((), lead.policy, lead.bots_first))


def _is_bot(id_: str) -> bool:
    return id_.startswith("bot_")
