"""Collectors keep only the members of answers that they name, and drop all other members.

Answers contain keys of VPN connections and of BGP sessions, environment variables of functions, and members
that AWS will add. So the tests put a secret text into each member that no collector names, and then search
everything that an inventory keeps for this text.
"""

import gc
import inspect
import logging
import re
import sys
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import pytest

from tests.answer_shapes import texts_within, with_all_members
from tests.collectors.declared_cases import DECLARATIONS, TABLES, answers_by_method, read_cases
from tests.collectors.test_python_mutations import LISTS, answers_of
from tests.fake_aws import FakeAws, FakeClient, FakeClientCache, pagination_of
from tests.monitor.polling.inventories import BY_SERVICE, FakeAccount

SECRET = "a-secret-that-nobody-named"
CASES = list(read_cases(TABLES))
NOT_SEARCHED_TYPES = (type, ModuleType, FunctionType, FakeAws, FakeClient, FakeClientCache)
TAG_MEMBERS = {"key", "value", "tagkey", "tagvalue"}


def secret_text(named_members: frozenset[str], name: str) -> str:
    """Return a secret as the text of a member; no text if the collector names it, or may read it as a tag."""
    return "" if name in named_members or name.lower() in TAG_MEMBERS else f"{SECRET}: {name}"


class SecretClient(FakeClient):
    """A client that answers with a secret in each member that is not in `named_members`."""

    named_members: frozenset[str] = frozenset()

    async def respond(self, method: str, answer: Any, params: Any) -> Any:
        response = await super().respond(method, answer, params)
        operation: Any = self.operations[method]
        pages = pagination_of(self.service, operation.name)
        tokens = [pages.output_token, pages.more_results] if pages else []
        tokens += [output for _, output in pages.further_tokens] if pages else []
        named_members = self.named_members | {*filter(None, tokens), "NextToken"}
        return with_all_members(response, operation.output_shape, partial(secret_text, named_members))


def answer_with_secrets(aws: FakeAws, named_members: frozenset[str]) -> None:
    """Make a fake AWS answer with a secret in each member that is not in `named_members`."""
    client_type = type("NamingClient", (SecretClient,), {"named_members": named_members})
    cache_type = type("NamingCache", (FakeClientCache,), {"client_type": client_type})
    aws.cell.clients = cache_type(aws)


def names_of(service: str) -> frozenset[str]:
    """Return the members of answers that a service names in its declaration, or in its Python modules."""
    if service in DECLARATIONS:
        text = (TABLES.parents[1] / "collectors" / f"{service}.yaml").read_text()
        return frozenset(re.findall(r"\w+", text))
    module = sys.modules[BY_SERVICE[service].scans[0].__module__]
    texts = [inspect.getsource(source) for source in (module, *_helpers(module))]
    return frozenset(name for text in texts for name in re.findall(r"[\"']([\w.]+)[\"']", text))


def _helpers(module: ModuleType) -> list[ModuleType]:
    """Return the modules of `collectors` from which a module imports names."""
    names = {getattr(value, "__module__", "") for value in vars(module).values()}
    return [sys.modules[name] for name in names if str(name).startswith("collectors.")]


def secrets_within(*roots: Any) -> list[str]:
    """Return the texts that contain a secret, in these objects and the objects that they refer to."""
    gc.collect()
    texts = texts_within(roots, NOT_SEARCHED_TYPES)
    return [text[:200] for text in texts if SECRET in text]


@pytest.mark.parametrize(
    "service", [service for service in BY_SERVICE if service in DECLARATIONS or service in LISTS]
)
async def test_an_inventory_keeps_no_member_that_its_collector_does_not_name(
    service: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "collectors")
    cases = [case for case in CASES if case.service == service]
    tables = [answers_by_method(case.answers) for case in cases] or [answers_of(service)]
    for answers in tables:
        account = FakeAccount(malformed=True, **answers)
        answer_with_secrets(account.aws, names_of(service))
        await account.run_inventory(BY_SERVICE[service])
        cell = account.aws.cell
        found = secrets_within(
            account.fleet,
            account.inventory.statuses,
            cell.call_turns,
            cell.collector_states,
            cell.account_states,
            caplog.records,
        )
        assert found == []
