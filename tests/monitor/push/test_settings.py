"""The configuration of a receiver of samples: valid values, and the errors for invalid values."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.push.settings import PushConfig, duplicate_names
from monitor.schema.problems import problems_from_pydantic
from monitor.schema.types import ConfigContext

URL = "https://tsdb.example.com/api/v1/push"
SECRET = "hunter2-hunter2"


def push_config(folder: Path = Path(), **fields: Any) -> PushConfig:
    context = ConfigContext({"TOKEN": SECRET}, folder)
    return PushConfig.model_validate({"name": "tsdb", "url": URL} | fields, context=context)


def errors_of(**fields: Any) -> list[str]:
    """Return the problems of invalid settings, after a check that they show no secret."""
    with pytest.raises(ValidationError) as raised:
        push_config(**fields)
    assert SECRET not in str(raised.value)
    return [
        f"{'.'.join(map(str, problem.where))}: {problem.sentence}"
        for problem in problems_from_pydantic(raised.value, PushConfig)
    ]


@pytest.mark.parametrize(
    ("fields", "protocol"),
    [({}, "remote_write 1"), ({"version": 2}, "remote_write 2"), ({"type": "otlp"}, "otlp")],
)
def test_type_and_version_select_the_protocol(fields: dict[str, Any], protocol: str) -> None:
    assert push_config(**fields).protocol == protocol


def test_secrets_are_read_from_keys_variables_and_files_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    for fields in (
        {"bearer_token": SECRET},
        {"bearer_token_env": "TOKEN"},
        {"bearer_token_file": "secret"},
        {"headers": [{"name": "Authorization", "value_file": "secret"}]},
        {"headers": [{"name": "Authorization", "value_env": "TOKEN"}]},
    ):
        config = push_config(tmp_path, **fields)
        assert config.extra_headers["Authorization"].removeprefix("Bearer ") == SECRET
        assert SECRET not in repr(config)
        assert SECRET in config.policy.secrets
    config = push_config(tmp_path, username="me", password_file="secret")
    assert config.extra_headers["Authorization"].startswith("Basic ")
    assert SECRET in config.policy.secrets


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "graphite"}, "type: expected one of remote_write, otlp, found 'graphite'"),
        ({"version": 3}, "version: expected 1 or 2, found 3"),
        ({"type": "otlp", "version": 1}, ": expected version only with type remote_write"),
        ({"url": "http://tsdb"}, ": expected https://, or allow_insecure: true beside http://"),
        ({"url": SECRET}, "url: expected a URL such as https://example.com/hook (value not shown)"),
        ({"username": "me"}, ": expected username and password together, found one of them"),
        ({"password": SECRET}, ": expected username and password together, found one of them"),
        (
            {"username": "me", "password": SECRET, "bearer_token": SECRET},
            ": expected one of bearer_token, password and a header Authorization, found several",
        ),
        (
            {"bearer_token": SECRET, "headers": [{"name": "authorization", "value": SECRET}]},
            ": expected one of bearer_token, password and a header Authorization, found several",
        ),
        (
            {"url": f"https://me:{SECRET}@tsdb", "headers": [{"name": "Authorization", "value": SECRET}]},
            ": expected user and password in the URL, or an authorization, not both (not shown)",
        ),
        (
            {
                "headers": [
                    {"name": "X-Id", "value": "a"},
                    {"name": "y", "value": "a"},
                    {"name": "x-id", "value": "b"},
                ]
            },
            ": expected each header once, found x-id again",
        ),
        (
            {"url": f"https://me:{SECRET}@tsdb", "bearer_token": SECRET},
            ": expected user and password in the URL, or an authorization, not both (not shown)",
        ),
        (
            {"bearer_token": SECRET, "bearer_token_env": "TOKEN"},
            ": expected one bearer_token, found bearer_token and bearer_token_env",
        ),
        (
            {"bearer_token_env": "MISSING"},
            "bearer_token_env: expected the name of an environment variable that is set (value not shown)",
        ),
        (
            {"bearer_token_file": "missing"},
            "bearer_token_file: expected the name of a readable text file (value not shown)",
        ),
        ({"headers": [{"name": "x"}]}, "headers.0: expected value, value_env or value_file, found none"),
        (
            {"headers": [{"name": "Content-Type", "value": "x"}]},
            "headers.0.name: expected the name of a header that the protocol does not set itself, "
            "found 'Content-Type'",
        ),
        (
            {"headers": [{"name": "x", "value": "a\nb"}]},
            "headers.0.value: expected one line of printable text (value not shown)",
        ),
        ({"queue_megabytes": 0}, "queue_megabytes: expected at least 1, found 0"),
        ({"out_of_order": "yes"}, "out_of_order: expected true or false, found 'yes'"),
        ({"frobnicate": 1}, "frobnicate: unknown key"),
    ],
)
def test_invalid_settings_are_errors(fields: dict[str, Any], expected: str) -> None:
    assert errors_of(**fields) == [expected]


def test_a_second_receiver_with_the_same_name_is_a_problem() -> None:
    (problem,) = duplicate_names([push_config(), push_config(name="other"), push_config()])
    assert problem == (
        ("push", 2, "name"),
        "expected a name that differs from that of push[0], found the same",
    )
