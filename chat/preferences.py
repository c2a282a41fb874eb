"""What an account, an inbox and a team may choose. It is stored as JSON; what isn't said there is as it is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import encode

from chat.model import Policy
from chat.uploads import UploadLimits

T = TypeVar("T")

MOST_SLOTS = 500  # a bot's; no human talks to so many
DAY_SECONDS = 24 * 3600

Slots = Annotated[int, Meta(ge=0, le=MOST_SLOTS)]
Seconds = Annotated[int, Meta(ge=0, le=DAY_SECONDS)]
Length = Annotated[int, Meta(ge=1, le=10_000)]
TeamId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class AccountSettings(Struct, frozen=True):
    """`zone` is the account's IANA time zone, `language` the one its staff and shoppers write by default.

    `slots` is the usual number of conversations that somebody takes at once; `claims_beyond_slots` says whether by
    hand it may be more. Who does nothing for `idle_minutes` is away; 0: never. `log_days` is how long the logs of
    statuses, routing and waits are kept.
    """

    zone: str = "UTC"
    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", max_length=35)] = "en"
    slots: Slots = 4
    claims_beyond_slots: bool = True
    idle_minutes: Annotated[int, Meta(ge=0, le=24 * 60)] = 10
    log_days: Annotated[int, Meta(ge=1, le=3650)] = 400


class InboxSettings(Struct, frozen=True):
    """What holds at one inbox. `hours` are a schedule, as an agent's shifts are; an empty one: it is always open."""

    uploads: UploadLimits = UploadLimits()
    hours: dict[str, Any] = {}

    @property
    def schedule(self) -> str:
        """The hours as the text that `presence.shifts` reads."""
        return encode(self.hours).decode() if self.hours else ""


class TeamSettings(Struct, frozen=True):
    """How conversations come to a team's members; with the policy `manual` nothing does by itself.

    `overflow` are teams that are asked too when nobody here could take a conversation for `overflow_seconds`. A queue
    of `queue_limit` is full until it is shorter than `queue_reopen`. Who was given a conversation and says nothing for
    `answer_seconds` loses it, and is away after so many `bounces` in a row; what is in progress with somebody who
    vanished is given to others after `return_seconds`. Who has the skills for it is waited for
    `skills_after_seconds`, or for ever where it `needs_skills`; `prefers_known` prefers who had the contact before.
    `bots_first` asks bots before people; they come after them otherwise.
    """

    policy: Policy = "least_busy"
    overflow: Annotated[tuple[TeamId, ...], Meta(max_length=10)] = ()
    overflow_seconds: Seconds = 60
    queue_limit: Length | None = None
    queue_reopen: Length | None = None
    answer_seconds: Annotated[int, Meta(ge=5, le=3600)] = 30
    bounces: Annotated[int, Meta(ge=1, le=100)] = 3
    return_seconds: Seconds = 300
    needs_skills: bool = False
    skills_after_seconds: Seconds = 60
    prefers_known: bool = True
    bots_first: bool = False


def chosen(stored: Mapping[str, Any], shape: type[T]) -> T:
    """What is stored, in this shape. What an older or newer version wrote and this one can't read counts as not said,
    each for itself."""
    try:
        return convert(dict(stored), shape)
    except ValidationError:
        return convert({name: value for name, value in stored.items() if _is_readable(name, value, shape)}, shape)


def _is_readable(name: str, value: object, shape: type[Any]) -> bool:
    try:
        convert({name: value}, shape)
    except ValidationError:
        return False
    return True
