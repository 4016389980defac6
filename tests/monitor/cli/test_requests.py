"""Commands that read the answers of a Headroom of another version."""

from typing import Any

import pytest

from monitor.cli.exit_codes import FAILED
from monitor.lib.version import VERSION
from tests.monitor.cli.invocation import headroom
from tests.monitor.cli.test_coverage import api_server
from tests.monitor.cli.test_recommend import OVERSIZED, RESPONSE

COMMANDS = (
    ("recommend",),
    ("coverage",),
    ("paths",),
    ("paths", "checkout"),
    ("what-if", "--traffic", "2x"),
    ("alerts", "list"),
    ("alerts", "ack", "0f3c9d7a1b2e4f56", "--comment", "x"),
    ("alerts", "unack", "0f3c9d7a1b2e4f56"),
    ("alerts", "silence", "service=kinesis", "--duration", "2h", "--comment", "x"),
    ("alerts", "end-silence", "5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6"),
    ("alerts", "replay"),
    ("stream", "dead-letters"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_that_the_answer_of_an_older_server_lacks_a_field(command: tuple[str, ...]) -> None:
    with api_server({"info": {"version": "0.0.9"}}) as (address, _):
        result = headroom(*command, "--address", address)
    assert (result.exit_code, result.stdout) == (FAILED, "")
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith(f"{address}: the answer lacks `")
    assert sentence.endswith(
        f"`, which this command (Headroom {VERSION}) needs; the server is Headroom 0.0.9"
    )


@pytest.mark.parametrize("document", [{}, {"info": {}}, {"info": "0.0.9"}])
def test_a_server_may_not_tell_its_version(document: dict[str, Any]) -> None:
    with api_server(document) as (address, _):
        result = headroom("recommend", "--address", address)
    assert result.stderr.strip().endswith("the server is Headroom of an unknown version")


def test_an_item_may_lack_a_field_too_and_json_needs_none() -> None:
    older = {name: value for name, value in OVERSIZED.items() if name != "is_maximum"}
    with api_server(RESPONSE | {"items": [older]}) as (address, _):
        table, document = (
            headroom("recommend", "--address", address, "--format", name) for name in ("table", "json")
        )
    assert "the answer lacks `is_maximum`" in table.stderr
    assert document.exit_code == 0
