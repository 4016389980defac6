"""Examples of the API's operations: for each, a call as a curl command, and the response."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

RESPONSES_FILE = Path(__file__).parent / "example_responses.json"
# The id of stream_write_bytes of the stream orders of account 123456789012 in eu-west-1.
SERIES_ID: Final = "bbe59bfe27e1526e"
SERIES_ID_PARAMETER: Final = {"id": SERIES_ID}  # an alert has the id of its series


@dataclass(frozen=True, slots=True)
class CallExample:
    """The parameters and the body of an example call. path_parameters: the parameters in the path."""

    path_parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def curl(self, method: str, path: str, server_url: str) -> str:
        """Return the curl command that makes the call. path: with the names of its parameters in braces."""
        words = ["curl"] + ([] if method == "get" else ["-X", method.upper()])
        if self.body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(self.body)]
        query = f"?{urlencode(self.query)}" if self.query else ""
        return shlex.join([*words, f"{server_url}{path.format_map(self.path_parameters)}{query}"])


# By operation id; the example of any other operation has neither parameters nor a body.
CALLS: Final[Mapping[str, CallExample]] = {
    "scrape_metrics": CallExample(query={"service": "kinesis"}),
    "list_series": CallExample(query={"service": "kinesis", "zone": "near", "limit": "10"}),
    "get_series": CallExample(path_parameters=SERIES_ID_PARAMETER),
    "list_quotas": CallExample(query={"service_code": "lambda", "limit": "10"}),
    "list_recommendations": CallExample(query={"advice": "lower"}),
    "list_episodes": CallExample(query={"days": "7"}),
    "get_path": CallExample(path_parameters={"name": "checkout"}),
    "ask_what_if": CallExample(query={"traffic": "3x", "match": 'service="kinesis"'}),
    "list_alerts": CallExample(query={"limit": "20"}),
    "acknowledge_alert": CallExample(
        path_parameters=SERIES_ID_PARAMETER,
        body={"author": "ada", "comment": "adding shards", "duration": "2h"},
    ),
    "unacknowledge_alert": CallExample(path_parameters=SERIES_ID_PARAMETER),
    "list_alert_history": CallExample(query={"limit": "20"}),
    "create_silence": CallExample(
        body={
            "matchers": ['service="kinesis"', 'resource="orders"'],
            "duration": "2h",
            "author": "ada",
            "comment": "load test",
        }
    ),
    "end_silence": CallExample(path_parameters={"id": "5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6"}),
    "replay_deliveries": CallExample(query={"receiver": "on-call"}),
}


def example_call(operation: str) -> CallExample:
    """Return the example call of an operation."""
    return CALLS.get(operation, CallExample())


@cache
def example_responses() -> Mapping[str, Any]:
    """Return an example of a successful response for each operation, by the operation's id."""
    responses: Mapping[str, Any] = json.loads(RESPONSES_FILE.read_bytes())
    return responses
