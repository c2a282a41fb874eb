"""Rules: what an agent chooses, and what the service sees of everybody who works here."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from chat.model import Ask, Availability, Key, Lasting

REASON_LIMIT = 100  # characters
OBSERVED = 200  # members at once


class SetAvailability(Ask, frozen=True, gc=False, kw_only=True, tag="availability.set"):
    """Staff says whether it takes conversations. Supervisors and admins may name somebody else as `agent`.

    `finish` lets what is open at the end of this shift stay where it is.
    """

    availability: Availability
    reason: Annotated[str, Meta(max_length=REASON_LIMIT)] = ""
    agent: Key | None = None
    finish: bool | UnsetType = UNSET


class Observe(Lasting, frozen=True, gc=False, kw_only=True, tag="duty.observe"):
    """The service has seen that what is written of these members may not hold any more."""

    members: Annotated[tuple[Key, ...], Meta(min_length=1, max_length=OBSERVED)]
    cause: Annotated[str, Meta(max_length=REASON_LIMIT)]
    """Why it looks: connected, disconnected, shift …; stands in the status log."""
    idle: bool = False
    """They have done nothing for as long as the account allows: who is available is away from now on."""
