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
    Column("suspended_at", BigInteger),
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
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
    Column("origins", JSON, nullable=False),
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
)

# What a shop's backend signs identities with. Two live ones while a shop changes over.
inbox_keys = Table(
    "inbox_keys",
    metadata,
    Column("inbox", Text, ForeignKey("inboxes.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
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
    Column("totp", LargeBinary),  # sealed
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),  # the last one used: never twice
)

invites = Table(
    "invites",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("teams", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
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
    Column("id", Text, nullable=False, unique=True),
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
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
    Column("is_full", Boolean, nullable=False, server_default=false()),  # its queue was, and isn't short enough yet
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
    Column("email", Text),
    Column("attributes", Text, nullable=False, server_default=text("'{}'")),  # JSON
    Column("blocked_until", BigInteger, nullable=False, server_default=text("0")),
    Column("merged_into", Text),
    Column("erased", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "account"),
)

# Who a contact is to a shop: the `sub` that the shop's backend signed.
identities = Table(
    "identities",
    metadata,
    Column("inbox", Text, ForeignKey("inboxes.id"), primary_key=True),
    Column("sub", Text, primary_key=True),
    Column("contact", Text, nullable=False),
    Index(None, "contact"),
)

attribute_types = Table(
    "attribute_types",
    metadata,
    Column("account", Surrogate, ForeignKey("accounts.key"), primary_key=True, autoincrement=False),
    Column("of", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("choices", JSON, nullable=False),
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
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("seq", BigInteger, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),  # the Conversation as JSON; the columns beside it are its index
    Index(None, "account", "status", "assignee"),
    Index(None, "account", "cursor"),
    Index(None, "contact"),
)

followers = Table(
    "followers",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("conversation", Surrogate, ForeignKey("conversations.key"), primary_key=True, autoincrement=False),
)

timers = Table(
    "timers",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Index(None, "at"),
)

uploads = Table(
    "uploads",
    metadata,
    _key(),
    _account(),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("width", Integer, nullable=False, server_default=text("0")),
    Column("height", Integer, nullable=False, server_default=text("0")),
    Column("created_at", BigInteger, nullable=False),
    Column("finished", Boolean, nullable=False, server_default=false()),
    Column("conversation", Text),
    Column("entry", Text),
    Index(None, "conversation"),
    Index(
        "ix_uploads_waiting", "created_at", sqlite_where=text("entry IS NULL"), postgresql_where=text("entry IS NULL")
    ),
)

audit = Table(
    "audit",
    metadata,
    _key(),
    _account(),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "account", "key"),
)

# --- Presence and routing ---------------------------------------------------------------------------------------------

# What an agent or bot is to routing. No row: nobody has ever said anything about it, and the defaults hold.
duties = Table(
    "duties",
    metadata,
    Column("member", Text, primary_key=True),  # an agent's or a bot's id
    _account(),
    Column("availability", Text, nullable=False, server_default=text("'available'")),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("set_by", Text, nullable=False, server_default=text("''")),
    Column("set_at", BigInteger, nullable=False, server_default=text("0")),
    Column("finishes", Boolean, nullable=False, server_default=false()),  # what is open when the shift ends
    Column("slots", Integer),  # null: the account's usual number
    Column("skills", JSON, nullable=False, server_default=text("'[]'")),
    Column("schedule", Text, nullable=False, server_default=text("''")),  # JSON; empty: always on shift
    Column("bounces", Integer, nullable=False, server_default=text("0")),
    Column("assigned_at", BigInteger, nullable=False, server_default=text("0")),
    Column("status", Text, nullable=False, server_default=text("'offline'")),
    Column("status_reason", Text, nullable=False, server_default=text("''")),
    Column("status_until", BigInteger),
    Column("status_at", BigInteger, nullable=False, server_default=text("0")),
    Index(None, "account"),
)

# Every change of a status with its cause: who was on, when, why.
status_log = Table(
    "status_log",
    metadata,
    _key(),
    _account(),
    Column("member", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("until", BigInteger),
    Column("cause", Text, nullable=False),
    Index(None, "account", "at"),
    Index(None, "member", "at"),
)

# Every decision about who gets a conversation, with all who were looked at.
routing_log = Table(
    "routing_log",
    metadata,
    _key(),
    _account(),
    Column("conversation", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("chosen", Text),
    Column("team", Text),
    Column("by", Text, nullable=False),
    Column("candidates", Text, nullable=False),  # JSON
    Index(None, "conversation", "at"),
    Index(None, "account", "at"),
)

# What a waiting contact was promised, and what came of it.
waits = Table(
    "waits",
    metadata,
    Column("conversation", Text, primary_key=True),
    Column("queued_at", BigInteger, primary_key=True, autoincrement=False),
    _account(),
    Column("team", Text),
    Column("place", Integer, nullable=False),
    Column("estimate", BigInteger, nullable=False),  # ms, before it was corrected by what became of earlier ones
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("tail", BigInteger, nullable=False, server_default=text("0")),  # as `estimate`, of nine in ten
    Column("closes_at", BigInteger),  # from then on nobody is on shift
    Column("opens_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("outcome", Text),  # answered, abandoned, left
    Index(None, "account", "queued_at"),
    Index(None, "team", "ended_at"),
)

# How long a member was at each conversation, without the contact's silences.
handles = Table(
    "handles",
    metadata,
    _key(),
    _account(),
    Column("conversation", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("team", Text),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("worked", BigInteger, nullable=False),  # ms
    Index(None, "account", "ended_at"),
    Index(None, "team", "ended_at"),
)

# --- The search index: all of it can be made anew from the rest. See docs/decisions/0010 ------------------------------

# How far each account is indexed, and where its next document goes.
search_heads = Table(
    "search_heads",
    metadata,
    Column("account", Surrogate, ForeignKey("accounts.key"), primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("sealed", BigInteger, nullable=False),  # the runs before it have their grams
    Column("size", BigInteger, nullable=False),  # characters in the run that isn't full yet
)

# The seq up to which each conversation is indexed.
search_threads = Table(
    "search_threads",
    metadata,
    Column("conversation", Surrogate, ForeignKey("conversations.key"), primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

# Contacts to look at: they may change without any cursor. Triggers write here: SQLite's engine makes them, and
# migration 0004 for PostgreSQL.
search_contacts = Table(
    "search_contacts", metadata, _key(), Column("contact", Surrogate, ForeignKey("contacts.key"), nullable=False)
)

# What can be found: the newest version of each text, folded. In PostgreSQL it has one more column, `grams`, with an
# index of GIN's (migration 0004, docs/decisions/0016); search_grams stays empty there.
search_docs = Table(
    "search_docs",
    metadata,
    Column("key", Surrogate, primary_key=True, autoincrement=False),  # account's key, run, place in the run
    _account(),
    Column("of", Text, nullable=False),  # the entry's, conversation's or contact's id
    Column("kind", Text, nullable=False),
    Column("conversation", Surrogate, ForeignKey("conversations.key")),
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "of", "account", unique=True),
)

# Which documents of a run have a gram: a byte for each, its place.
search_grams = Table(
    "search_grams",
    metadata,
    Column("account", Surrogate, ForeignKey("accounts.key"), primary_key=True, autoincrement=False),
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("gram", Text, primary_key=True),
    Column("docs", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
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
    Column("data", Text),  # JSON: an activity's data, blocks, attachments, reactions and whatever else few entries have
    Column("digest", LargeBinary),  # of the ask whose first entry this is; edit and erasure leave it alone
    Column("superseded", Boolean, nullable=False, server_default=false()),
    # Of a later version: the id of the ask that made it, who asked and when. Reactions aren't the author's.
    Column("ask", Text),
    Column("asker", Text),
    Column("asked_at", BigInteger),
    # The id leads: it is time-ordered, so new rows land at the end of the index, whatever the account.
    Index(
        "uq_entries_id",
        "id",
        "account",
        unique=True,
        sqlite_where=text("seq = born"),
        postgresql_where=text("seq = born"),
    ),
    # Later versions of an entry are few, and these two have nothing but them.
    Index("ix_entries_version", "id", sqlite_where=text("seq <> born"), postgresql_where=text("seq <> born")),
    Index(
        "uq_entries_ask",
        "ask",
        "account",
        unique=True,
        sqlite_where=text("ask IS NOT NULL"),
        postgresql_where=text("ask IS NOT NULL"),
    ),
    # What is missed is found through the conversations that moved: no index by cursor, which every row would pay for.
    Index(None, "conversation", "seq"),
)
