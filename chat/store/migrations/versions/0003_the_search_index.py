"""The search index. It fills itself from what is there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
oldest = "0003"

surrogate = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "search_heads",
        sa.Column("account", surrogate, autoincrement=False, nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_search_heads_account_accounts")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_search_heads")),
    )
    op.create_table(
        "search_threads",
        sa.Column("conversation", surrogate, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.key"], name=op.f("fk_search_threads_conversation_conversations")
        ),
        sa.PrimaryKeyConstraint("conversation", name=op.f("pk_search_threads")),
    )
    op.create_table(
        "search_contacts",
        sa.Column("key", surrogate, autoincrement=True, nullable=False),
        sa.Column("contact", surrogate, nullable=False),
        sa.ForeignKeyConstraint(["contact"], ["contacts.key"], name=op.f("fk_search_contacts_contact_contacts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_search_contacts")),
    )
    op.create_table(
        "search_docs",
        sa.Column("key", surrogate, autoincrement=False, nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation", surrogate, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_search_docs_account_accounts")),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.key"], name=op.f("fk_search_docs_conversation_conversations")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_search_docs")),
    )
    with op.batch_alter_table("search_docs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_search_docs_of_account"), ["of", "account"], unique=True)
    op.create_table(
        "search_grams",
        sa.Column("account", surrogate, autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gram", sa.Text(), nullable=False),
        sa.Column("docs", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_search_grams_account_accounts")),
        sa.PrimaryKeyConstraint("account", "run", "gram", name=op.f("pk_search_grams")),
        sqlite_with_rowid=False,
    )
    contacts, waiting = sa.table("contacts", sa.column("key")), sa.table("search_contacts", sa.column("contact"))
    op.get_bind().execute(sa.insert(waiting).from_select(["contact"], sa.select(contacts.c.key)))
