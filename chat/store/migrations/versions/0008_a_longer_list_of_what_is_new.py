"""What is new in PostgreSQL's search index waits in a list four times as long before it is sorted in.

Sorting in writes the list of each number that came: the more documents at once, the less for each. A search reads what
waits besides, which costs nothing that can be measured.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
oldest = "0005"

PENDING = 1024  # kB


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER INDEX ix_search_docs_grams SET (gin_pending_list_limit = {PENDING})")
