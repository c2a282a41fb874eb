"""What routing looks at and writes, in words that both engines understand; rows to a Desk.

`{among}` is a set of ids as the engine is given one, `{teams}` a second one. Each statement says the account first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from msgspec.json import encode

from chat.model import Conversation, Decision, Desk, Member, Queue, StatusLine, TeamRules
from chat.preferences import AccountSettings, TeamSettings, chosen
from chat.store import Hold, Rows, Scoped, WaitEnd

QUEUED = 500  # conversations that wait and are looked at: what is behind them gets its turn later
UNASKED = 100  # of them those whose contacts wait for no answer: messages left at night hide nobody who waits

SETTINGS = "SELECT a.id, a.settings FROM accounts a WHERE a.id {among}"
_MEMBERS = """
    SELECT a.id, m.id, m.name, m.picture, d.availability, d.reason, d.set_by, d.set_at, d.finishes, d.slots, d.skills,
    d.schedule, d.bounces, d.assigned_at, d.status, d.status_reason, d.status_until, d.status_at
    FROM {} m JOIN accounts a ON a.key = m.account LEFT JOIN duties d ON d.member = m.id
    WHERE m.active AND a.id {{among}}"""
MEMBERS = (_MEMBERS.format("agents"), _MEMBERS.format("bots"))
TEAMS = """
    SELECT a.id, t.id, t.settings FROM teams t JOIN accounts a ON a.key = t.account WHERE a.id {among} ORDER BY t.key"""
TEAM_MEMBERS = """
    SELECT a.id, m.team, m.member FROM team_members m JOIN teams t ON t.id = m.team
    JOIN accounts a ON a.key = t.account WHERE a.id {among} ORDER BY t.key, m.member"""
SERVING = """
    SELECT a.id, s.inbox, s.team FROM inbox_teams s JOIN teams t ON t.id = s.team
    JOIN accounts a ON a.key = t.account WHERE a.id {among} ORDER BY t.key"""
USED = """
    SELECT a.id, c.assignee, count(*) FROM conversations c JOIN accounts a ON a.key = c.account
    WHERE a.id {among} AND c.status = 'open' AND c.assignee IS NOT NULL GROUP BY a.id, c.assignee"""
# Of each account the first of the line: what has no team waits for nobody, but where its inbox got one only later.
WAITING = f"""
    SELECT account, id FROM (
        SELECT a.id AS account, c.id AS id, row_number() OVER (
            PARTITION BY c.account, c.waiting_since IS NULL
            ORDER BY c.team IS NULL, c.priority DESC, c.waiting_since, c.key) AS place,
        CASE WHEN c.waiting_since IS NULL THEN {UNASKED} ELSE {QUEUED - UNASKED} END AS seen
        FROM conversations c JOIN accounts a ON a.key = c.account
        WHERE a.id {{among}} AND c.status = 'queued' AND (c.team IS NULL OR c.team {{teams}})
    ) waiting WHERE place <= seen"""
# Who had them before: the last one counts.
KNOWN = """
    SELECT a.id, c.contact, c.assignee FROM conversations c JOIN accounts a ON a.key = c.account
    WHERE c.contact {among} AND c.assignee IS NOT NULL ORDER BY c.cursor"""
HELD = """
    SELECT a.id, c.assignee, c.id FROM conversations c JOIN accounts a ON a.key = c.account
    WHERE c.status = 'open' AND c.assignee {among}"""
# Who left a message waits for nobody, and isn't counted. Without a limit nothing is.
QUEUES = """
    SELECT a.id, s.inbox, t.id, t.settings, t.is_full, CASE WHEN t.settings ->> 'queue_limit' IS NULL THEN 0 ELSE (
        SELECT count(*) FROM conversations c WHERE c.account = t.account AND c.status = 'queued' AND c.team = t.id
        AND c.waiting_since IS NOT NULL) END
    FROM inbox_teams s JOIN teams t ON t.id = s.team JOIN accounts a ON a.key = t.account
    WHERE s.inbox {among} ORDER BY t.key DESC"""

# Slots, skills and schedule are the administration's: whoever writes them doesn't wait for the ledger.
_WRITTEN = (
    "availability", "reason", "set_by", "set_at", "finishes", "bounces", "assigned_at", "status", "status_reason",
    "status_until", "status_at",
)  # fmt: skip
WRITE_MEMBER = f"""
    INSERT INTO duties (account, member, {", ".join(_WRITTEN)}) VALUES ({{values}})
    ON CONFLICT (member) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN)}"""
WRITE_STATUS = """
    INSERT INTO status_log (account, member, at, status, reason, until, cause) VALUES ({values})"""
WRITE_DECISION = """
    INSERT INTO routing_log (account, conversation, at, kind, chosen, team, by, candidates) VALUES ({values})"""
FORGIVE = "UPDATE duties SET bounces = 0 WHERE member = {0} AND bounces > 0"
WRITE_QUEUE = "UPDATE teams SET is_full = {0} WHERE id = {1}"
WRITE_EMAIL = "UPDATE contacts SET email = {0} WHERE id = {1} AND email IS NULL"
END_WAIT = """
    UPDATE waits SET ended_at = {0}, outcome = {1} WHERE conversation = {2} AND queued_at = {3} AND ended_at IS NULL"""
# What lies between two messages was work, but for what lies before the contact's answer to one of ours: its silence.
WRITE_HOLD = """
    INSERT INTO handles (account, conversation, member, team, began_at, ended_at, worked)
    SELECT CAST({0} AS bigint), CAST({1} AS text), CAST({2} AS text), CAST({3} AS text), CAST({4} AS bigint),
    CAST({5} AS bigint), coalesce(sum(before + CASE
        WHEN is_theirs THEN coalesce(later, {5}) - at
        WHEN later IS NULL OR later_is_theirs THEN 0
        ELSE later - at END), 0)
    FROM (
        SELECT at, substr(author, 1, 4) = 'con_' AS is_theirs, lead(at) OVER line AS later,
        substr(lead(author) OVER line, 1, 4) = 'con_' AS later_is_theirs,
        CASE WHEN row_number() OVER line = 1 THEN at - {4} ELSE 0 END AS before
        FROM entries WHERE conversation = {6} AND seq = born AND kind = 'message' AND at BETWEEN {4} AND {5}
        WINDOW line AS (ORDER BY seq)
    ) spoken"""


@cache
def worded(statement: str, mark: str, values: int) -> str:
    """A writing statement with an engine's marks for what is bound: `?` or `$`, and a number."""
    marks = [f"{mark}{number}" for number in range(1, values + 1)]
    return statement.format(*marks, values=", ".join(marks))


class Found:
    """What the statements have found, of several accounts."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self._desks = {account: Desk({}, {}, {}, {}) for account in accounts}
        self._slots: dict[str, int] = {}
        self._teams: dict[tuple[str, str], list[str]] = {}
        self._of: dict[tuple[str, str], list[str]] = {}

    def take_settings(self, rows: Iterable[Any]) -> None:
        self._slots = {account: chosen(orjson.loads(settings), AccountSettings).slots for account, settings in rows}

    def take_teams(self, teams: Iterable[Any], members: Iterable[Any]) -> None:
        for account, team, member in members:
            self._teams.setdefault((account, team), []).append(member)
            self._of.setdefault((account, member), []).append(team)
        for account, team, settings in teams:
            within = tuple(self._teams.get((account, team), ()))
            self._desks[account].teams[team] = team_rules(team, within, orjson.loads(settings))

    def take_members(self, rows: Iterable[Any]) -> None:
        """After settings and teams."""
        for account, id_, *rest in rows:
            of = tuple(self._of.get((account, id_), ()))
            self._desks[account].members[id_] = _member(account, id_, of, self._slots[account], rest)

    def take_serving(self, rows: Iterable[Any]) -> None:
        for account, inbox, team in rows:
            inboxes = self._desks[account].inboxes
            inboxes[inbox] = (*inboxes.get(inbox, ()), team)

    def take_used(self, rows: Iterable[Any]) -> None:
        for account, member, count in rows:
            self._desks[account].used[member] = count

    def take_queued(self, queued: Mapping[Scoped, Conversation]) -> None:
        for (account, _), conversation in queued.items():
            desk = self._desks[account]
            desk.queued = (*desk.queued, conversation)

    def take_known(self, rows: Iterable[Any]) -> None:
        for account, contact, member in rows:
            if account in self._desks:
                self._desks[account].known[contact] = member

    @property
    def routed(self) -> list[str]:
        """The teams that anything is routed to."""
        desks = self._desks.values()
        return [team.id for desk in desks for team in desk.teams.values() if team.policy != "manual"]

    @property
    def desks(self) -> dict[str, Desk]:
        return self._desks


def team_rules(team: str, members: tuple[str, ...], settings: dict[str, Any]) -> TeamRules:
    """What an older or newer version wrote and this one can't read counts as not said."""
    said = chosen(settings, TeamSettings)
    return TeamRules(team, members, **{name: getattr(said, name) for name in said.__struct_fields__})


def queues(rows: Iterable[Any], wanted: Collection[Scoped]) -> dict[Scoped, Queue]:
    """The queue of the oldest team of each inbox."""
    found: dict[Scoped, Queue] = {}
    for account, inbox, team, settings, is_full, length in rows:
        if (account, inbox) in wanted:
            found[account, inbox] = Queue(team_rules(team, (), orjson.loads(settings)), length, bool(is_full))
    return found


def values_of(
    beside: Rows, accounts: Mapping[str, int], keys: Mapping[Scoped, int]
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows to write, by the statement that writes each."""
    return {
        WRITE_MEMBER: [_member_row(accounts[each.account], each) for each in beside.members],
        FORGIVE: [(member,) for member in beside.answered],
        WRITE_STATUS: [_status_row(accounts[each.account], each) for each in beside.statuses],
        WRITE_DECISION: [_decision_row(accounts[each.account], each) for each in beside.decisions],
        WRITE_QUEUE: [(queue.is_full, queue.rules.id) for queue in beside.queues],
        WRITE_EMAIL: [(email, contact) for contact, email in beside.emails],
        END_WAIT: [_wait_row(each) for each in beside.wait_ends],
        WRITE_HOLD: [
            _hold_row(accounts[each.account], each, keys[each.account, each.conversation]) for each in beside.holds
        ],
    }


def _member(account: str, id_: str, teams: tuple[str, ...], usual_slots: int, rest: Sequence[Any]) -> Member:
    name, picture, availability, *duty = rest
    if availability is None:  # nobody has said anything of it
        return Member(account, id_, name, picture, True, teams, slots=usual_slots)
    reason, set_by, set_at, finishes, slots, skills, schedule, *last = duty
    return Member(
        account,
        id_,
        name,
        picture,
        True,
        teams,
        availability,
        reason,
        set_by,
        set_at,
        bool(finishes),
        usual_slots if slots is None else slots,
        tuple(orjson.loads(skills)),
        schedule,
        *last,
    )


def _member_row(account: int, member: Member) -> tuple[Any, ...]:
    return (account, member.id, *(getattr(member, name) for name in _WRITTEN))


def _status_row(account: int, line: StatusLine) -> tuple[Any, ...]:
    return account, line.member, line.at, line.status, line.reason, line.until, line.cause


def _decision_row(account: int, made: Decision) -> tuple[Any, ...]:
    candidates = encode(made.candidates).decode()
    return account, made.conversation, made.at, made.kind, made.chosen, made.team, made.by, candidates


def _wait_row(end: WaitEnd) -> tuple[Any, ...]:
    return end.at, end.outcome, end.conversation, end.queued_at


def _hold_row(account: int, hold: Hold, key: int) -> tuple[Any, ...]:
    return account, hold.conversation, hold.member, hold.team, hold.began_at, hold.ended_at, key
