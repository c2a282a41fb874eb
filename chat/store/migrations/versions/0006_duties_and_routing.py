"""Who is on duty, who got which conversation and why, and how long contacts waited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
oldest = "0005"

surrogate = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("teams") as teams:
        teams.add_column(sa.Column("settings", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
        teams.add_column(sa.Column("is_full", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "duties",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("availability", sa.Text(), server_default=sa.text("'available'"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("set_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("set_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("finishes", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=True),
        sa.Column("skills", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("schedule", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("bounces", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'offline'"), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status_until", sa.BigInteger(), nullable=True),
        sa.Column("status_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_duties_account_accounts")),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_duties")),
    )
    op.create_index(op.f("ix_duties_account"), "duties", ["account"])
    op.create_table(
        "status_log",
        sa.Column("key", surrogate, autoincrement=True, nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_status_log_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_status_log")),
    )
    op.create_index(op.f("ix_status_log_account_at"), "status_log", ["account", "at"])
    op.create_index(op.f("ix_status_log_member_at"), "status_log", ["member", "at"])
    op.create_table(
        "routing_log",
        sa.Column("key", surrogate, autoincrement=True, nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_routing_log_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_routing_log")),
    )
    op.create_index(op.f("ix_routing_log_conversation_at"), "routing_log", ["conversation", "at"])
    op.create_index(op.f("ix_routing_log_account_at"), "routing_log", ["account", "at"])
    op.create_table(
        "waits",
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("estimate", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("tail", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("opens_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_waits_account_accounts")),
        sa.PrimaryKeyConstraint("conversation", "queued_at", name=op.f("pk_waits")),
    )
    op.create_index(op.f("ix_waits_account_queued_at"), "waits", ["account", "queued_at"])
    op.create_index(op.f("ix_waits_team_ended_at"), "waits", ["team", "ended_at"])
    op.create_table(
        "handles",
        sa.Column("key", surrogate, autoincrement=True, nullable=False),
        sa.Column("account", surrogate, nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("worked", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name=op.f("fk_handles_account_accounts")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_handles")),
    )
    op.create_index(op.f("ix_handles_account_ended_at"), "handles", ["account", "ended_at"])
    op.create_index(op.f("ix_handles_team_ended_at"), "handles", ["team", "ended_at"])
