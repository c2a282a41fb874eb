"""The Python client for bots and tests. It knows the service by its wire alone (docs/protocol.md)."""

from bots.bot import Bot, Message
from bots.client import Client
from bots.errors import Closed, OutboxFull, Refused, ShopbellError, Unsettled
from bots.ids import new_id
from bots.mirror import Mirror, Thread
from bots.outbox import Ask
from bots.reconnect import Pace
from bots.sessions import Shopper, Staff

__all__ = [
    "Ask",
    "Bot",
    "Client",
    "Closed",
    "Message",
    "Mirror",
    "OutboxFull",
    "Pace",
    "Refused",
    "ShopbellError",
    "Shopper",
    "Staff",
    "Thread",
    "Unsettled",
    "new_id",
]
