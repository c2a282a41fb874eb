"""What can go wrong for a bot or a test that talks to Shopbell."""


class ShopbellError(Exception):
    """The root of everything this package raises on purpose."""


class Refused(ShopbellError):
    """The service said no. `code` is for programs, `message` for people; `retry` says whether asking again may help."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        retry: bool = False,
        field: str | None = None,
        after_ms: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retry = retry
        self.field = field
        self.after_ms = after_ms

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}{where}: {self.message}" if self.message else f"{self.code}{where}"


class Closed(ShopbellError):
    """The client has ended for good: it was closed here, or the service told it not to come back (`code`)."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"closed ({self.code}) {self.reason}".rstrip() if self.code else self.reason or "closed"


class Unsettled(ShopbellError, TimeoutError):
    """Nobody answered in time. The ask isn't withdrawn: it is still resent, and may be awaited again."""


class OutboxFull(ShopbellError):
    """More asks wait for an answer than the outbox holds; await some of them first."""
