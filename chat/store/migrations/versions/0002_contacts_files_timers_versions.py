"""What contacts, files, timers, later versions and the administration need."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest = "0002"


def upgrade() -> None:
    op.create_table(
        "attribute_types",
        sa.Column("account", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_attribute_types_account_accounts")),
        sa.PrimaryKeyConstraint("account", "of", "name", name=op.f("pk_attribute_types")),
    )
    op.create_table(
        "audit",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_audit_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_account_key"), ["account", "key"], unique=False)

    op.create_table(
        "invites",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("teams", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_invites_account_accounts")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_invites")),
        sa.UniqueConstraint("id", name=op.f("uq_invites_id")),
    )
    op.create_table(
        "timers",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_timers_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_timers")),
        sa.UniqueConstraint("id", name=op.f("uq_timers_id")),
    )
    with op.batch_alter_table("timers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_timers_at"), ["at"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("height", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=True),
        sa.Column("entry", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_uploads_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_uploads")),
        sa.UniqueConstraint("id", name=op.f("uq_uploads_id")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_conversation"), ["conversation"], unique=False)
        batch_op.create_index(
            "ix_uploads_waiting",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("entry IS NULL"),
            postgresql_where=sa.text("entry IS NULL"),
        )

    op.create_table(
        "followers",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "conversation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.key"], name=op.f("fk_followers_conversation_conversations")
        ),
        sa.PrimaryKeyConstraint("actor", "conversation", name=op.f("pk_followers")),
    )
    op.create_table(
        "identities",
        sa.Column("inbox", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["inbox"], ["inboxes.id"], name=op.f("fk_identities_inbox_inboxes")),
        sa.PrimaryKeyConstraint("inbox", "sub", name=op.f("pk_identities")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_contact"), ["contact"], unique=False)

    op.create_table(
        "inbox_keys",
        sa.Column("inbox", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["inbox"], ["inboxes.id"], name=op.f("fk_inbox_keys_inbox_inboxes")),
        sa.PrimaryKeyConstraint("inbox", "id", name=op.f("pk_inbox_keys")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("suspended_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("settings", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))

    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("totp", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False))

    with op.batch_alter_table("bot_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("id", sa.Text(), nullable=True))
    tokens = sa.table("bot_tokens", sa.column("hash", sa.LargeBinary()), sa.column("id", sa.Text()))
    for (fingerprint,) in op.get_bind().execute(sa.select(tokens.c.hash)).all():
        values = {"id": f"tok_{secrets.token_hex(12)}"}
        op.get_bind().execute(sa.update(tokens).where(tokens.c.hash == fingerprint).values(values))
    with op.batch_alter_table("bot_tokens", schema=None) as batch_op:
        batch_op.alter_column("id", existing_type=sa.Text(), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_bot_tokens_id"), ["id"])

    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("attributes", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
        batch_op.add_column(sa.Column("blocked_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("merged_into", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("erased", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(batch_op.f("ix_contacts_account"), ["account"], unique=False)

    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ask", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("asker", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("asked_at", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_entries_version",
            ["id"],
            unique=False,
            sqlite_where=sa.text("seq <> born"),
            postgresql_where=sa.text("seq <> born"),
        )
        batch_op.create_index(
            "uq_entries_ask",
            ["ask", "account"],
            unique=True,
            sqlite_where=sa.text("ask IS NOT NULL"),
            postgresql_where=sa.text("ask IS NOT NULL"),
        )

    with op.batch_alter_table("inboxes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settings", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
        batch_op.drop_column("secret")  # nothing was signed with it; keys of an inbox are sealed now

    # What few entries have stands in one object now, an activity's data among it.
    entries = sa.table("entries", sa.column("data", sa.Text()))
    wrapped = sa.literal('{"data":') + entries.c.data + sa.literal("}")
    op.get_bind().execute(sa.update(entries).where(entries.c.data.is_not(None)).values(data=wrapped))
