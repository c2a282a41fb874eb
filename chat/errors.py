"""How an ask can fail: Refused is the asker's doing, Unavailable an engine's; anything else is a bug."""

from __future__ import annotations


class Refused(Exception):
    """The ask can't be granted and left no trace.

    `code` is stable and part of the wire; `retry` says whether the same ask may succeed later;
    `field` names the part of the ask at fault; `after_ms` the wait before a retry makes sense.
    """

    code = "refused"
    retry = False
    says = "This can't be done."

    def __init__(self, says: str | None = None, *, field: str | None = None, after_ms: int | None = None) -> None:
        super().__init__(says or self.says)
        self.field = field
        self.after_ms = after_ms


class BadRequest(Refused):
    code = "bad_request"
    says = "The request isn't well formed."


class TooLarge(Refused):
    code = "too_large"
    says = "That is too large."


class UnknownType(Refused):
    code = "unknown_type"
    says = "There is no such ask."


class Forbidden(Refused):
    code = "forbidden"
    says = "You may not do this."


class Blocked(Refused):
    code = "blocked"
    says = "You can't write here at the moment."


class Changed(Refused):
    """The contact lives on in another. Sockets are closed instead: whoever comes back asks again as that one."""

    code = "changed"
    retry = True
    says = "Who you are has changed: come back."


class NotFound(Refused):
    """Also the answer for what exists and belongs to somebody else."""

    code = "not_found"
    says = "There is no such thing."


class IdReused(Refused):
    code = "id_reused"
    says = "This id was used for something else."


class Taken(Refused):
    code = "taken"
    says = "Somebody else has this conversation."


class InvalidState(Refused):
    code = "invalid_state"
    says = "The conversation isn't in a state that allows this."


class Full(Refused):
    code = "full"
    says = "Nobody has room for it at this moment."


class QueueFull(Refused):
    """A contact may still leave a message, with an email address."""

    code = "queue_full"
    says = "Too many people are waiting: leave a message with your email address."


class Behind(Refused):
    code = "behind"
    retry = True
    says = "The entry before this one isn't stored yet."


class RateLimited(Refused):
    code = "rate_limited"
    retry = True
    says = "Too many at once."


class Busy(Refused):
    code = "busy"
    retry = True
    says = "The service has too much to do at this moment."


class StoreAway(Refused):
    """What the asker hears when an engine is Unavailable."""

    code = "unavailable"
    retry = True
    says = "The service can't store anything at this moment."


class Internal(Refused):
    """What the asker hears of a bug."""

    code = "internal"
    retry = True
    says = "Something went wrong on our side."


REFUSALS: tuple[type[Refused], ...] = (
    BadRequest,
    TooLarge,
    UnknownType,
    Forbidden,
    Blocked,
    Changed,
    NotFound,
    IdReused,
    Taken,
    InvalidState,
    Full,
    QueueFull,
    Behind,
    RateLimited,
    Busy,
    StoreAway,
    Internal,
)


class DeskMissing(Exception):
    """A rule must see who can take a conversation, as few asks of its kind must: it is run again with a desk."""


class Unavailable(Exception):
    """An engine is down, full or locked. Raised by engines only, with the driver's error as its cause."""
