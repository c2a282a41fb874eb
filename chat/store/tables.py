"""The schema, in SQLAlchemy Core: one source for migrations, cold statements and both engines."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Integer surrogate keys keep the hot indexes narrow; SQLite wants INTEGER to make it the rowid itself.
Surrogate = BigInteger().with_variant(Integer, "sqlite")


def _key() -> Column[int]:
    return Column("key", Surrogate, primary_key=True, autoincrement=True)


def _account() -> Column[int]:
    return Column("account", Surrogate, ForeignKey("accounts.key"), nullable=False)


meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

accounts = Table(
    "accounts",
    metadata,
    _key(),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# Narrow and alone: this is the row that a writer locks.
ledgers = Table(
    "ledgers",
    metadata,
    Column("account", Surrogate, ForeignKey("accounts.key"), primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False, server_default=text("0")),
    Column("at", BigInteger, nullable=False, server_default=text("0")),
)

inboxes = Table(
    "inboxes",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("public_key", Text, nullable=False, unique=True),
    Column("secret", Text, nullable=False),
    Column("origins", JSON, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("picture", Text),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
)

bots = Table(
    "bots",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("picture", Text),
    Column("active", Boolean, nullable=False, server_default=true()),
)

bot_tokens = Table(
    "bot_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("bot", Text, ForeignKey("bots.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

teams = Table(
    "teams",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team", Text, ForeignKey("teams.id"), primary_key=True),
    Column("member", Text, primary_key=True),  # an agent's or a bot's id
)

inbox_teams = Table(
    "inbox_teams",
    metadata,
    Column("inbox", Text, ForeignKey("inboxes.id"), primary_key=True),
    Column("team", Text, ForeignKey("teams.id"), primary_key=True),
)

contacts = Table(
    "contacts",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # a hash; the secret itself is only with its holder
    Column("actor", Text, nullable=False),
    Column("inbox", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Index(None, "actor"),
)

conversations = Table(
    "conversations",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("contact", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("assignee", Text),
    Column("team", Text),
    Column("waiting_since", BigInteger),
    Column("seq", BigInteger, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),  # the Conversation as JSON; the columns beside it are its index
    Index(None, "account", "status", "assignee"),
    Index(None, "account", "cursor"),
    Index(None, "contact"),
)

entries = Table(
    "entries",
    metadata,
    _key(),
    _account(),
    Column("conversation", Surrogate, ForeignKey("conversations.key"), nullable=False),
    Column("id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("activity", Text, nullable=False),
    Column("data", Text),  # JSON
    Column("digest", LargeBinary),  # of the ask whose first entry this is; edit and erasure leave it alone
    Column("superseded", Boolean, nullable=False, server_default=false()),
    # The id leads: it is time-ordered, so new rows land at the end of the index, whatever the account.
    Index(
        "uq_entries_id",
        "id",
        "account",
        unique=True,
        sqlite_where=text("seq = born"),
        postgresql_where=text("seq = born"),
    ),
    # What is missed is found through the conversations that moved: no index by cursor, which every row would pay for.
    Index(None, "conversation", "seq"),
)
