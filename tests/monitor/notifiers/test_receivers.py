"""Receivers in the configuration: each mistake is reported in one line, which shows no secret."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import monitor.notifiers
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.receivers import RECEIVER_BY_TYPE, Receiver
from monitor.outbound.client import OutboundClient
from monitor.schema.problems import problem_lines, problems_from_pydantic
from monitor.schema.types import ConfigContext, ConfigModel
from rules.strict_yaml import parse
from tests.json_schema import problems_by_schema
from tests.monitor.notifiers.examples import all_settings, example, required_settings
from tests.monitor.notifiers.loopback import (
    build_receiver,
    http_server,
    notice,
    notification,
    resolved_notice,
)

SECRET = "hunter2-hunter2"
URL = f"https://example.com/{SECRET}"
TYPES = ", ".join(RECEIVER_BY_TYPE)


class ConfigFile(ConfigModel):
    """A configuration that has only receivers."""

    receivers: tuple[Receiver, ...] = ()


def read(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> Any:
    """Return the receivers of a configuration."""
    data, syntax_problems = parse(text.encode())
    assert not syntax_problems
    return ConfigFile.model_validate(data, context=ConfigContext(environ or {}, folder)).receivers


def problems(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> list[str]:
    """Return the problems of a configuration, and check that they show no secret."""
    with pytest.raises(ValidationError) as failure:
        read(text, environ, folder)
    assert SECRET not in str(failure.value)
    return problem_lines("", problems_from_pydantic(failure.value, ConfigFile))


each_type = pytest.mark.parametrize("type", RECEIVER_BY_TYPE)


def entry(settings: dict[str, Any]) -> str:
    """Return a configuration with one receiver, which may be on loopback."""
    return json.dumps({"receivers": [{**settings, "allow_insecure": True, "allow_private": True}]})


def test_every_receiver_is_registered() -> None:
    for path in Path(monitor.notifiers.__path__[0]).glob("[a-z]*.py"):
        import_module(f"monitor.notifiers.{path.stem}")
    receiver_classes = [
        kind for kind in BaseReceiver.__subclasses__() if kind.__module__.startswith("monitor.notifiers.")
    ]
    missing = {kind.__name__ for kind in receiver_classes} - {
        kind.__name__ for kind in RECEIVER_BY_TYPE.values()
    }
    assert not missing, f"add these to RECEIVER_TYPES in monitor/notifiers/receivers.py: {missing}"


@each_type
def test_every_type_has_a_module_and_tests_of_its_name(type: str) -> None:
    assert RECEIVER_BY_TYPE[type].__module__ == f"monitor.notifiers.{type}"
    tests = Path(__file__).with_name(f"test_{type}.py")
    assert tests.is_file(), f"write {tests}, as docs/add-a-receiver.md shows"


@each_type
def test_the_required_keys_suffice(type: str) -> None:
    [receiver] = read(entry(required_settings(type)))
    assert (receiver.name, receiver.type) == ("team", type)


def test_resolutions_are_sent_and_insecure_and_private_addresses_are_refused_by_default() -> None:
    [receiver] = read("receivers:\n- name: team\n  type: slack\n  url_env: HOOK", {"HOOK": URL})
    assert (receiver.send_resolved, receiver.allow_insecure, receiver.allow_private) == (True, False, False)
    assert SECRET not in repr(receiver) + str(receiver) + receiver.model_dump_json()


SECRET_FIELDS = [(type, name) for type, kind in RECEIVER_BY_TYPE.items() for name in kind.secret_fields()]


@pytest.mark.parametrize(("type", "name"), SECRET_FIELDS)
def test_a_secret_is_read_from_the_key_or_from_the_environment_or_from_a_file(
    type: str, name: str, tmp_path: Path
) -> None:
    settings, secret = all_settings(type), example(type, name)
    other_settings = {key: value for key, value in settings.items() if key != name}
    (tmp_path / "secret").write_text(f"  {secret}\n")
    for secret_entry in ({name: secret}, {f"{name}_env": "SECRET"}, {f"{name}_file": "secret"}):
        [receiver] = read(entry(other_settings | secret_entry), {"SECRET": secret}, tmp_path)
        assert getattr(receiver, name).get_secret_value() == secret
        assert secret not in repr(receiver) + str(receiver) + receiver.model_dump_json()


def test_a_secret_may_be_all_digits_and_an_optional_secret_may_come_from_the_environment() -> None:
    [receiver] = read(
        "receivers: [{name: a, type: webhook, url: 'https://x', authorization_env: A}]", {"A": "Bearer x"}
    )
    assert receiver.authorization.get_secret_value() == "Bearer x"
    [receiver] = read("receivers: [{name: a, type: pagerduty, routing_key: 123456}]")
    assert receiver.routing_key.get_secret_value() == "123456"


def email_config(**fields: Any) -> str:
    """Return a configuration with a receiver of type email."""
    defaults = {"name": "a", "type": "email", "host": "h", "from": "a@example.com", "to": ["b@example.com"]}
    return json.dumps({"receivers": [defaults | fields]})


# The YAML of `receivers`, and its problems.
MISTAKES = [
    ("[{}]", [f"receivers[0].type: expected one of {TYPES}, found none"]),
    (
        "[{name: a, type: slak}]",
        [f"receivers[0].type: expected one of {TYPES}, found 'slak'; did you mean slack?"],
    ),
    ("[{name: a, type: [slack]}]", [f"receivers[0].type: expected one of {TYPES}, found a list"]),
    ("[hunter2-hunter2]", ["receivers[0]: expected a mapping with a name and a type (value not shown)"]),
    ("[{type: slack, url: 'https://x'}]", ["receivers[0].name: missing"]),
    ("[{name: '', type: slack, url: 'https://x'}]", ["receivers[0].name: expected text, found ''"]),
    (
        r'[{name: "a\n", type: slack, url: "https://x"}]',
        [r"receivers[0].name: expected at most 64 printable characters, found 'a\n'"],
    ),
    *(
        (
            f"[{{name: a, type: {kind}, authorization: Bearer x}}]",
            [
                "receivers[0]: expected user and password in the URL, or an authorization, "
                "not both (not shown)"
            ],
        )
        for kind in (
            f"webhook, url: 'https://me:{SECRET}@x'",
            f"alertmanager, urls: ['http://y', 'http://me:{SECRET}@x'], allow_insecure: true",
        )
    ),
    ("[{name: a, type: slack}]", ["receivers[0]: expected url, url_env or url_file, found none"]),
    ("[{name: a, type: slack, url: }]", ["receivers[0]: expected url, url_env or url_file, found none"]),
    (
        "[{name: a, type: slack, url: hunter2-hunter2, url_env: A}]",
        ["receivers[0]: expected one url, found url and url_env"],
    ),
    (
        "[{name: a, type: slack, url_env: hunter2-hunter2}]",
        [
            "receivers[0].url_env: expected the name of an environment variable that is set "
            "(value not shown)",
        ],
    ),
    (
        "[{name: a, type: slack, url_file: hunter2-hunter2}]",
        ["receivers[0].url_file: expected the name of a readable text file (value not shown)"],
    ),
    *(
        (
            f"[{{name: a, type: slack, url: '{url}'}}]",
            ["receivers[0].url: expected a URL such as https://example.com/hook (value not shown)"],
        )
        for url in (SECRET, f"ftp://{SECRET}", "https://", f"https://x:0/{SECRET}", f"https://[{SECRET}")
    ),
    *(
        (
            f"[{{name: a, type: slack, url: {url}}}]",
            ["receivers[0].url: expected one line of printable text (value not shown)"],
        )
        for url in ("[hunter2-hunter2]", r'"https://x/\nhunter2-hunter2"', "true", "''")
    ),
    (
        "[{name: a, type: slack, url: 'http://x/hunter2-hunter2'}]",
        ["receivers[0]: expected https://, or allow_insecure: true beside http://"],
    ),
    (
        "[{name: a, type: alertmanager, urls: ['https://x', 'http://y']}]",
        ["receivers[0]: expected https://, or allow_insecure: true beside http://"],
    ),
    ("[{name: a, type: alertmanager, urls: []}]", ["receivers[0].urls: expected at least one, found none"]),
    (
        "[{name: a, type: alertmanager, urls: ['https://x', hunter2-hunter2]}]",
        ["receivers[0].urls[1]: expected a URL such as https://example.com/hook (value not shown)"],
    ),
    (
        "[{name: a, type: slack, url: 'https://x', allow_private: yes, send_resolved: 0, timeout: 2m}]",
        [
            "receivers[0].send_resolved: expected true or false, found 0",
            "receivers[0].allow_private: expected true or false, found 'yes'",
            "receivers[0].timeout: expected at most 60, found 120",
        ],
    ),
    (
        "[{name: a, type: slack, url: 'https://x', chanel: b}]",
        ["receivers[0].chanel: unknown key"],
    ),
    (
        "[{name: a, type: webhook, url: 'https://x', format: alertmanger, secret: whsec_aHVudGVyMg==}]",
        [
            "receivers[0].format: expected one of headroom, alertmanager, found 'alertmanger'; "
            "did you mean alertmanager?",
            "receivers[0].secret: expected whsec_ and the base64 of 24 to 64 random bytes (value not shown)",
        ],
    ),
    (
        "[{name: a, type: sns, topic_arn: 'arn:aws:sqs:x'}]",
        [
            "receivers[0].topic_arn: expected a topic such as arn:aws:sns:eu-west-1:123456789012:alerts, "
            "found 'arn:aws:sqs:x'",
        ],
    ),
    (
        "[{name: a, type: apprise, url: 'slack://hunter2-hunter2'}]",
        [
            "receivers[0]: expected allow_insecure: true and allow_private: true, as Apprise ignores both",
        ],
    ),
    (
        "[{name: a, type: slack}, {name: b, type: teams}]",
        [
            "receivers[0]: expected url, url_env or url_file, found none",
            "receivers[1]: expected url, url_env or url_file, found none",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_mistakes_in_receivers_are_reported(text: str, expected: list[str]) -> None:
    assert problems(f"receivers: {text}") == expected


# Changed fields of a valid receiver, and the problem.
EMAIL_MISTAKES = [
    (
        {"tls": "none"},
        "receivers[0]: expected allow_insecure: true beside tls: none, found no allow_insecure",
    ),
    ({"tls": "ssl"}, "receivers[0].tls: expected one of starttls, tls, none, found 'ssl'"),
    ({"username": "a"}, "receivers[0]: expected username and password together, found one of them"),
    ({"password": SECRET}, "receivers[0]: expected username and password together, found one of them"),
    ({"port": 0}, "receivers[0].port: expected a port from 1 to 65535, found 0"),
    ({"port": "25"}, "receivers[0].port: expected a port from 1 to 65535, found '25'"),
    ({"to": []}, "receivers[0].to: expected at least one, found none"),
    ({"host": "a b"}, "receivers[0].host: expected a host such as smtp.example.com, found 'a b'"),
    *(
        (
            {"to": [address]},
            f"receivers[0].to[0]: expected an e-mail address such as oncall@example.com, found {address!r}",
        )
        for address in (
            "a",
            "a@",
            "a@b\r\nBcc: c@d",
            "A <a@b>",
            "a@b, c@d",
            '"a b"@c',
            "ü@example.com",
            "a@b@c",
        )
    ),
]


@pytest.mark.parametrize(("fields", "expected"), EMAIL_MISTAKES)
def test_mistakes_in_an_email_receiver_are_reported(fields: dict[str, Any], expected: str) -> None:
    assert problems(email_config(**fields)) == [expected]


def test_an_email_receiver_has_its_addresses_and_uses_starttls() -> None:
    [receiver] = read(email_config(username="me", password=SECRET))
    assert (receiver.sender, receiver.to, receiver.tls) == ("a@example.com", ("b@example.com",), "starttls")


@each_type
def test_the_json_schema_accepts_valid_receivers(type: str) -> None:
    schema = ConfigFile.model_json_schema()
    for settings in (required_settings(type), all_settings(type)):
        assert problems_by_schema(schema, {"receivers": [settings]}) == []
    assert problems_by_schema(schema, {"receivers": [{"name": "a", "type": type, "unknown": 1}]})


async def test_no_resolution_is_sent_if_send_resolved_is_off(client: OutboundClient) -> None:
    async with http_server() as server:
        receiver = build_receiver(RECEIVER_BY_TYPE["webhook"], url=server.url, send_resolved=False)
        await receiver.send(notification(resolved_notice()), client)
        await receiver.send(notification(resolved_notice(), notice(alert="b")), client)
    [body] = server.bodies
    assert [alert["id"] for alert in body["data"]["alerts"]] == ["b"]
