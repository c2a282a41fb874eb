"""The OpenAPI document is a promise: whatever is asked, the real service answers as it says, and never with a 5xx."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chat.audit import unheard
from chat.clock import SystemClock
from chat.declarations import Declarations
from chat.invites import Invites
from chat.model import AttributeType
from tests.node import Node, on_a_node
from tests.shop import PASSWORD

# The node is in this process and draws its jitters from `random` while a case is made in another thread.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# With these the credential of the whole run would end in the midst of it.
SUICIDAL = {"POST /v1/logout"}
QUIET: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "phases": [hypothesis.Phase.generate, hypothesis.Phase.explicit],
    "suppress_health_check": list(HealthCheck),
}
SECONDS = 10.0
OPEN = {"rate_failed_logins": "100000/s"}  # other tests are about that

Ids = dict[str, list[str]]


@dataclass
class Run:
    """Whoever asks, what is there, and what came of it: how often which status, by operation."""

    url: str
    headers: dict[str, str]
    ids: Ids
    """For path parameters, and for fields of bodies."""
    right: int
    wrong: int
    answers: dict[str, Counter[int]] = field(default_factory=dict)

    @property
    def statuses(self) -> set[int]:
        return {status for counted in self.answers.values() for status in counted}

    @property
    def granted(self) -> set[str]:
        """The operations that did what they are for, at least once."""
        return {name for name, counted in self.answers.items() if any(status < 300 for status in counted)}

    def everywhere(self) -> None:
        """Ask every operation so many times rightly and wrongly."""
        document = requests.get(f"{self.url}/v1/openapi.json", timeout=SECONDS).json()
        with requests.Session() as session:
            for found in schemathesis.openapi.from_dict(document).get_all_operations():
                operation = found.ok()  # type: ignore[union-attr]  # a document that is valid has nothing else
                name = f"{operation.method.upper()} {operation.path}"
                if name in SUICIDAL and self.headers:
                    continue
                # Any text may stand in a path: without a body or a query there is nothing to do wrong.
                wrong = self.wrong if operation.body or operation.query else 0
                for mode, times in ((GenerationMode.POSITIVE, self.right), (GenerationMode.NEGATIVE, wrong)):
                    try:
                        self._ask(session, name, operation.as_strategy(generation_mode=mode), times)
                    except BaseException as error:
                        error.add_note(f"{mode.value}: {name}")
                        raise

    def _ask(self, session: requests.Session, name: str, strategy: Any, times: int) -> None:
        @hypothesis.settings(max_examples=max(1, times), **QUIET)
        @given(case=strategy, chance=hypothesis.strategies.randoms(use_true_random=False))
        def ask(case: Any, chance: random.Random) -> None:
            self._point(case, chance)
            session.cookies.clear()  # who has found a password by chance isn't somebody else from then on
            response = case.call(base_url=self.url, session=session, headers=self.headers, timeout=SECONDS)
            self.answers.setdefault(name, Counter())[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        if times:
            ask()

    def _point(self, case: Any, chance: random.Random) -> None:
        """Mostly at things that are there, as at what isn't every answer is the same; and with our own credential."""
        for name in [name for name in case.headers or {} if name.lower() == "authorization"]:
            del case.headers[name]
        case.cookies = {}
        for name in case.path_parameters or {}:
            kind = case.operation.path.split("/")[2] if name == "id" else name
            if kind in self.ids and chance.random() < 0.8:
                case.path_parameters[name] = chance.choice(self.ids[kind])
        if isinstance(case.body, dict):
            for name in case.body:
                if f"{name}=" in self.ids and chance.random() < 0.7:
                    case.body[name] = chance.choice(self.ids[f"{name}="])


async def _ids(node: Node) -> Ids:
    """Some of everything that the account has."""
    session = await node.contact_session()
    contact = await node.contact(session)
    conversation = await node.started(contact, "Hello?")
    mine, inbox = node.mine, (node.mine.id, node.mine.door.id)
    clock = SystemClock()
    store, second = node.shopbell._store, await node.second_agent()
    invites, declarations = Invites(store, clock), Declarations(store)
    made = [
        await invites.invite(mine.id, email=f"{number}@new.example", name="New", role="agent", into=[], audit=unheard)
        for number in range(20)
    ]
    for of in ("contact", "conversation"):
        await declarations.declare(mine.id, AttributeType(of, "size", "text"), unheard)
    await node.directory.add_member((mine.id, mine.team.id), mine.bot.id)
    return {
        "contacts": [session.actor.id, *[(await node.contact_session()).actor.id for _ in range(5)]],
        "conversations": [conversation],
        "inboxes": [inbox[1]],
        "teams": [mine.team.id],
        "agents": [second.id],  # never oneself: another admin could end this run
        "bots": [mine.bot.id],
        "invites": [invite.id for invite, _ in made[:10]],
        "tokens": [(await node.directory.add_token((mine.id, mine.bot.id)))[0] for _ in range(5)],
        "token": [(await node.directory.add_token((mine.id, mine.bot.id)))[0] for _ in range(5)],
        "of": ["contact", "conversation"],
        "name": ["size", "colour"],
        "member": [mine.bot.id],
        "member=": [mine.agent.id, second.id],
        "inbox=": [mine.door.public_key],
        "into=": [(await node.contact_session()).actor.id],
        "secret=": [secret for _, secret in made[10:]],
        "password=": [PASSWORD],
        "current=": [PASSWORD],
        "email=": [mine.agent.email],
    }


@on_a_node(**OPEN)
async def test_an_admin_gets_what_the_document_says(node: Node) -> None:
    secret, _ = await node._sessions.open_for_agent(node.mine.agent)
    own = {"cookie": f"shopbell={secret}", "origin": node.origin}
    run = Run(node.origin, own, await _ids(node), right=12, wrong=6)

    await asyncio.to_thread(run.everywhere)

    # It came through the doors: not only refusals were looked at. Chance doesn't find a code of the right moment, a
    # link that was minted, a file, or somebody in a team that was deleted a moment ago.
    assert {200, 201, 204, 400, 404, 409} <= run.statuses
    assert len(run.granted) > len(run.answers) * 0.75, set(run.answers) - run.granted
    await node.still_works()


@on_a_node(**OPEN)
async def test_a_bot_gets_what_the_document_says(node: Node) -> None:
    run = Run(node.origin, {"authorization": f"Bearer {node.mine.bot_token}"}, await _ids(node), right=4, wrong=2)

    await asyncio.to_thread(run.everywhere)

    assert {200, 400, 401, 403, 404} <= run.statuses


@on_a_node(**OPEN)
async def test_nobody_gets_what_the_document_says(node: Node) -> None:
    run = Run(node.origin, {}, await _ids(node), right=3, wrong=2)

    await asyncio.to_thread(run.everywhere)

    assert {200, 400, 401} <= run.statuses
    assert "GET /v1/contacts" not in run.granted
