"""The command line: serve, migrate, doctor, seed, token, secret."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from chat.access import system
from chat.audit import by as audit_by
from chat.clock import SystemClock
from chat.directory import Account, Directory
from chat.errors import Unavailable
from chat.passwords import Passwords
from chat.store import Store
from chat.store.migrate import migrate, schema
from gateway import log, settings
from gateway.engines import open_store
from gateway.rotation import reseal, rotate, rotate_beside_servers
from gateway.secret import FILE
from gateway.seed import PASSWORD, seed
from gateway.settings import BadSettings, Settings

T = TypeVar("T")

OK, FAILED, MISUSED = 0, 1, 2
MOST_WORKERS = 64


class Failed(Exception):
    """The command can't be carried out; the sentence says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 when it failed, 2 when it was misused or badly set."""
    command = _parser().parse_args(arguments)
    if command.name == "doctor":  # it looks at the settings itself
        return asyncio.run(_doctor())
    try:
        chosen = settings.read()
    except BadSettings as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return MISUSED
    for sentence in settings.unknown(os.environ):
        print(f"shopbell: {sentence}", file=sys.stderr)
    try:
        command.run(chosen, command)
    except Failed as error:
        print(f"shopbell: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopbell",
        description="In-app live chat for storefronts.",
        epilog="Settings come from the environment (SHOPBELL_…); docs/settings.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"shopbell {version('shopbell')}")
    commands = parser.add_subparsers(metavar="command", required=True)

    def add(name: str, run: Callable[..., object], help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(run=run, name=name)
        return command

    serve = add("serve", _serve, "Run the server until SIGTERM or Ctrl-C.")
    serve.add_argument("--workers", metavar="N", type=_count, default=1, help="so many nodes on the same port")
    serve.add_argument("--worker", metavar="NUMBER", type=int, help=argparse.SUPPRESS)  # one of them
    add("migrate", _migrate, "Bring the database to this version's schema.")
    add("doctor", _doctor, "Look at everything that this installation stands on, and say what is wrong and what to do.")
    add("seed", _seed, "Make the demo account, where it is missing, and say where to click.")
    token = add("token", _token, "Make an API token for a bot, and the bot where it is missing.")
    token.add_argument("--bot", metavar="NAME", required=True, help="the bot's name")
    token.add_argument("--account", metavar="ID", help="the account, where there is more than one")
    add("restore", _restore, "Begin a new epoch after a backup was put back: whoever comes back begins anew.")
    secret = add("secret", _secret, "Replace the secret: `shopbell secret rotate`. With SQLite, while no server runs.")
    secret.add_argument("what", choices=["rotate"], help="sealed values get a new seal; sessions and passwords stay")
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1 to {MOST_WORKERS}")
    return int(text)


# --- Commands ---------------------------------------------------------------------------------------------------------


def _serve(chosen: Settings, command: argparse.Namespace) -> None:
    from gateway import app, workers  # here, as the other commands need no server

    log.configure(chosen.log, chosen.log_level)
    if command.workers > 1 and (chosen.is_alone or not chosen.is_on_postgres):
        raise Failed(
            "several workers need SHOPBELL_STORE=postgresql://… and SHOPBELL_BUS=redis://…: with a file, or a bus in "
            "memory, what one of them does the others would never hear of."
        )
    _must_be_fit(chosen)
    try:
        if command.workers == 1:
            if command.worker:
                log.context.set(MappingProxyType({"worker": str(command.worker)}))
            app.serve(chosen, is_worker=command.worker is not None)
        elif not workers.run([sys.executable, "-m", "gateway", "serve"], command.workers, chosen.host, chosen.port):
            raise Failed("a worker didn't end well; the log says which.")
    except Unavailable as error:
        raise Failed(_explained(error, chosen)) from error
    except OSError as error:
        raise Failed(f"the server can't start: {error}") from error


def _migrate(chosen: Settings, _: argparse.Namespace) -> None:
    if not chosen.is_on_postgres:
        _make_folder(chosen.store_path.parent)
    try:
        before = schema(chosen.store)
        if before == "older":
            migrate(chosen.store)
        after = schema(chosen.store)
    except Unavailable as error:
        raise Failed(_explained(error, chosen)) from error
    if after == "too new":
        raise Failed(_too_new(chosen))
    if after == "newer":
        print(f"{_shown(chosen)} is a newer version's, which this one can work with.")
    elif before == "current":
        print(f"{_shown(chosen)} is up to date.")
    else:
        print(f"{_shown(chosen)} is now at this version's schema.")


async def _doctor() -> int:
    from gateway.doctor import examine

    failed = 0
    async for finding in examine(os.environ):
        print(finding, flush=True)
        failed += finding.level == "fail"
    print(f"\n{failed} to mend." if failed else "\nNothing to mend.")
    return FAILED if failed else OK


def _seed(chosen: Settings, _: argparse.Namespace) -> None:
    async def work(directory: Directory) -> None:
        demo = await seed(directory, Passwords())
        agents = "\n".join(f"              {agent.email} / {PASSWORD} ({agent.role})" for agent in demo.agents)
        url = chosen.public_url[0]
        print(f"  storefront  {url}/demo/\n  console     {url}/console/\n{agents}\n  start page  {url}/")

    _with_directory(chosen, work)


def _token(chosen: Settings, command: argparse.Namespace) -> None:
    async def work(directory: Directory) -> None:
        account = _the_account(await directory.accounts(), command.account)
        known = {bot.name: bot for bot in (await directory.staff(account.id)).bots}
        audit = audit_by(system(account.id), SystemClock())
        bot = known.get(command.bot)
        if bot is None:
            bot = await directory.add_bot(account.id, command.bot, audit=audit)
            print(f"{bot.name} is a new bot of {account.name}.", file=sys.stderr)
        print(await directory.add_api_token((account.id, bot.id), audit))
        print("Nobody can show this token again: keep it where it is safe.", file=sys.stderr)

    if not command.bot.strip():
        raise Failed("a bot needs a name.")
    _with_directory(chosen, work)


def _secret(chosen: Settings, _: argparse.Namespace) -> None:
    given = chosen.secrets
    if not given and chosen.is_on_postgres:
        done = _with_store(chosen, lambda store: rotate_beside_servers(store, chosen.data))
        if done is None:
            print(f"{chosen.data / FILE} has a new secret beside the old one. Restart the server, then run this again.")
        else:
            print(f"{done} values are sealed with the new secret in {chosen.data / FILE}; the old one is gone.")
    elif not given:
        count = _with_store(chosen, lambda store: rotate(store, chosen.data))
        print(f"{chosen.data / FILE} has a new secret; {count} values are sealed with it.")
    elif len(given) == 1:
        print(
            "The secret is set by SHOPBELL_SECRET, so it is you who replaces it. Set SHOPBELL_SECRET_BEFORE to what it "
            "is, and SHOPBELL_SECRET to a new one (`openssl rand -base64 48` makes one). Restart every server. Later "
            f"{'' if chosen.is_on_postgres else 'stop the server, '}run this command again, and unset "
            "SHOPBELL_SECRET_BEFORE."
        )
    else:
        count = _with_store(chosen, lambda store: reseal(store, given))
        print(f"{count} values are sealed with SHOPBELL_SECRET. Now unset SHOPBELL_SECRET_BEFORE.")


def _restore(chosen: Settings, _: argparse.Namespace) -> None:
    _with_store(chosen, lambda store: store.renew())
    print(
        f"{_shown(chosen)} has a new epoch: whoever comes back begins anew. Before you let people in, erase again "
        "whoever was erased since the backup was made (docs/operations.md)."
    )


# --- What they share --------------------------------------------------------------------------------------------------


def _with_directory(chosen: Settings, work: Callable[[Directory], Coroutine[None, None, None]]) -> None:
    """Run some work on the directory. Of a file, while no server has it."""
    _with_store(chosen, lambda store: work(Directory(store, SystemClock())))


def _with_store(chosen: Settings, work: Callable[[Store], Coroutine[None, None, T]]) -> T:
    async def run() -> T:
        store = await open_store(chosen)
        try:
            return await work(store)
        finally:
            await store.close()

    _must_be_fit(chosen)
    try:
        return asyncio.run(run())
    except Unavailable as error:
        raise Failed(_explained(error, chosen)) from error


def _must_be_fit(chosen: Settings) -> None:
    try:
        is_there = chosen.is_on_postgres or chosen.store_path.exists()
        found = schema(chosen.store) if is_there else "older"
    except Unavailable as error:
        raise Failed(_explained(error, chosen)) from error
    if found == "older":
        raise Failed(f"{_shown(chosen)} isn't at this version's schema. Run `shopbell migrate` first.")
    if found == "too new":
        raise Failed(_too_new(chosen))


def _too_new(chosen: Settings) -> str:
    return f"{_shown(chosen)} is a newer version's, and this one can't work with it. Start the newer version."


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"the folder {folder} can't be made: {error}") from error


def _shown(chosen: Settings) -> str:
    """The database's name. A URL isn't shown: it may have a password."""
    return "The PostgreSQL database" if chosen.is_on_postgres else str(chosen.store_path)


def _explained(error: Unavailable, chosen: Settings) -> str:
    if chosen.is_on_postgres:
        return f"{error}."
    return f"{error}. If a server is running on the data folder {chosen.data}, stop it first."


def _the_account(accounts: list[Account], wanted: str | None) -> Account:
    found = [account for account in accounts if wanted in (None, account.id)]
    if len(found) == 1:
        return found[0]
    if not accounts:
        raise Failed("there is no account yet. `shopbell seed` makes one for trying out.")
    listed = "".join(f"\n  {account.id}  {account.name}" for account in accounts)
    raise Failed(f"say which account, with --account:{listed}")


if __name__ == "__main__":
    sys.exit(main())
