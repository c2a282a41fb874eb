"""The routes by which an account is run, put together: setting up, staffing, contacts, audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.routing import Route

from chat.administration import Administration
from chat.audit import Audit
from chat.clock import Clock
from chat.contacts import Contacts
from chat.declarations import Declarations
from chat.directory import Directory
from chat.duties import Duties
from chat.export import Export
from chat.handovers import Handovers
from chat.invites import Invites
from chat.logs import Logs
from chat.passwords import Passwords
from chat.staffing import Staffing
from chat.store import Store
from chat.waits import Waits
from gateway.api import (
    account,
    agents,
    attributes,
    audit,
    bots,
    contacts,
    coverage,
    duties,
    inboxes,
    invites,
    reports,
    schedules,
    teams,
)
from gateway.api.agents import Close
from gateway.api.asked import Asked
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.login import Logins
from gateway.asking import Asking
from gateway.erasure import Erasure
from gateway.origins import Origin, Origins
from gateway.release import Release


def routes(
    store: Store,
    clock: Clock,
    askers: Askers,
    directory: Directory,
    logins: Logins,
    passwords: Passwords,
    asking: Asking,
    close: Close,
    forget_files: Callable[[str, str], Awaitable[object]],
    home: Origin,
    origins: Origins,
    changed: Changed = lambda account: None,
) -> list[Route]:
    """`close` closes sockets, `forget_files` deletes a contact's; `home` is where the console is. `changed` hears of
    an account whose staff, teams, shifts, hours or settings are other ones now, after each commit."""
    log = Audit(store, clock)
    set_up, staffing, people = Administration(store), Staffing(store, clock), Contacts(store, clock)
    work, logs = Duties(store), Logs(store)
    release = Release(asking, store, clock)
    erasure = Erasure(asking.ask, store, people, log, close, forget_files)
    return [
        *account.routes(set_up, log, askers, changed),
        *inboxes.routes(set_up, directory, log, askers, changed),
        *teams.routes(set_up, directory, log, askers, changed),
        *agents.routes(staffing, directory, logins, passwords, log, askers, close, release, changed),
        *bots.routes(staffing, directory, log, askers, close, release, changed),
        *invites.routes(Invites(store, clock), directory, passwords, log, askers, origins, home, changed),
        *duties.routes(work, log, askers, changed),
        *schedules.routes(work, log, clock, askers, changed),
        *coverage.routes(set_up, work, logs, clock, askers),
        *reports.routes(logs, Handovers(store), Waits(store), clock, askers),
        *attributes.routes(Declarations(store), log, askers),
        *contacts.routes(people, Export(store, clock, people), Asked(asking, log, clock), erasure, askers),
        *audit.routes(log, askers),
    ]
