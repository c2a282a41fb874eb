"""A column says how urgent a conversation is: of thousands that wait, the urgent ones are looked at first.

What a node of the version before writes during a deploy has 0 there until the conversation changes hands or status.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
oldest = "0005"

STATE = {"sqlite": "CAST(state AS TEXT)", "postgresql": "convert_from(state, 'UTF8')::jsonb"}


def upgrade() -> None:
    op.add_column("conversations", sa.Column("priority", sa.Integer(), nullable=False, server_default=sa.text("0")))
    priority = f"CAST({STATE[op.get_bind().dialect.name]} ->> 'priority' AS integer)"
    op.execute(f"UPDATE conversations SET priority = {priority} WHERE status = 'queued' AND {priority} > 0")
