"""PostgreSQL compares text in an index byte by byte, as SQLite does, and a moved conversation seldom writes an index.

Comparing by the rules of a language costs each look-up in an index of ids up to ten times as much, and nobody wants ids
in the order of a dictionary. A conversation's `stretch` is 4,096 changes long where its `thousand` was 1,000: an update
that leaves the stretch writes no index. The column `thousand` stays for nodes of the version before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
oldest = "0005"

STATEMENTS = (
    "ALTER TABLE conversations ADD COLUMN stretch bigint NOT NULL GENERATED ALWAYS AS (cursor / 4096) STORED",
    "DROP INDEX ix_conversations_account_thousand",
    "CREATE INDEX ix_conversations_account_stretch ON conversations (account, stretch)",
)
INDEXED = """
    SELECT c.relname, string_agg(format('ALTER COLUMN %I TYPE text COLLATE "C"', a.attname), ', ')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.atttypid = 'text'::regtype
    AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum = ANY(i.indkey))
    GROUP BY c.relname ORDER BY c.relname"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in op.get_bind().execute(sa.text(INDEXED)).all():
            op.execute(f'ALTER TABLE "{table}" {columns}')
        for statement in STATEMENTS:
            op.execute(statement)
