"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The oldest version, by its schema, that can serve this one. If something was taken away or means another thing: this one.
oldest = ${repr(up_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
