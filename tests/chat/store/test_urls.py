"""A PostgreSQL URL means the same to asyncpg and to SQLAlchemy, however it was written."""

import pytest

from chat.store.urls import for_asyncpg, for_sqlalchemy, is_postgres


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_is_understood(scheme: str) -> None:
    url = f"{scheme}://bell:pa%40ss@db:5432/bell?sslmode=require&application_name=postgres"

    assert is_postgres(url)
    assert for_asyncpg(url) == "postgresql://bell:pa%40ss@db:5432/bell?sslmode=require&application_name=postgres"
    assert for_sqlalchemy(url) == "postgresql+asyncpg://bell:pa%40ss@db:5432/bell?ssl=require&application_name=postgres"


@pytest.mark.parametrize("url", ["sqlite:///postgres://x.db", "/srv/postgresql", "mysql://postgres"])
def test_what_is_something_else_stays_as_it_is(url: str) -> None:
    assert not is_postgres(url)
    assert for_sqlalchemy(url) == url
