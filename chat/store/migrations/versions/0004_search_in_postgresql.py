"""PostgreSQL's search index: the numbers of a document's grams, and triggers that note which contacts have changed.

SQLite has tables of its own for the one, and its engine makes the other.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
oldest = "0004"

# What is new waits in a list that every search reads; when it is as long as this (kB), it is sorted in.
PENDING = 256

STATEMENTS = (
    "ALTER TABLE search_docs ADD COLUMN grams integer[] NOT NULL",  # nothing was indexed there before
    f"CREATE INDEX ix_search_docs_grams ON search_docs USING gin (grams) WITH (gin_pending_list_limit = {PENDING})",
    """CREATE FUNCTION search_contact() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO search_contacts (contact) VALUES (NEW.key); RETURN NULL; END $$""",
    """CREATE TRIGGER search_new_contact AFTER INSERT ON contacts
    FOR EACH ROW WHEN (NEW.name <> '' OR NEW.email IS NOT NULL) EXECUTE FUNCTION search_contact()""",
    """CREATE TRIGGER search_changed_contact AFTER UPDATE OF name, email, merged_into, erased ON contacts
    FOR EACH ROW WHEN (
        (NEW.name, NEW.email, NEW.merged_into, NEW.erased)
        IS DISTINCT FROM (OLD.name, OLD.email, OLD.merged_into, OLD.erased)
    ) EXECUTE FUNCTION search_contact()""",
    "INSERT INTO search_contacts (contact) SELECT key FROM contacts",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in STATEMENTS:
            op.execute(statement)
