"""What a message costs PostgreSQL: a moved conversation writes no index, an entry asks no other table.

An update that changes no indexed column writes its row and nothing else, where there is room on the page. `cursor`
moves with every change, its thousand seldom. The ledger has the account and the conversation of each entry locked or
made: foreign keys would look both up again, and lock them, for each row.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
oldest = "0005"

STATEMENTS = (
    "ALTER TABLE conversations ADD COLUMN thousand bigint NOT NULL GENERATED ALWAYS AS (cursor / 1000) STORED",
    "CREATE INDEX ix_conversations_account_thousand ON conversations (account, thousand)",
    "DROP INDEX ix_conversations_account_cursor",
    "ALTER TABLE conversations SET (fillfactor = 50)",  # room for each row's next version
    "ALTER TABLE entries DROP CONSTRAINT fk_entries_account_accounts",
    "ALTER TABLE entries DROP CONSTRAINT fk_entries_conversation_conversations",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in STATEMENTS:
            op.execute(statement)
