"""The environment and the configuration of the demo."""

from typing import Any

import pytest

from monitor.demo.aws_process import start_aws
from monitor.demo.environment import isolate_environment
from monitor.demo.session import SIMULATED_SERVICES, demo_config, demo_settings
from monitor.demo.story_file import STORY_FOLDER, read_story_files
from monitor.stream.settings import ACCESS_KEYS_VARIABLE, access_keys_from
from tests.registries import REGISTRY


def settings() -> dict[str, Any]:
    """Return the configuration of a demo."""
    return demo_settings("http://127.0.0.1:9", "127.0.0.1:4070", "journal.db", "http://127.0.0.1:10")


def test_the_environment_of_the_demo_has_access_keys_of_the_stream_but_no_settings_of_aws() -> None:
    environ = {ACCESS_KEYS_VARIABLE: "mine, other", "AWS_PROFILE": "prod"}
    isolate_environment(environ)
    assert access_keys_from(environ) == ("mine", "other")
    assert "AWS_PROFILE" not in environ


def test_the_demo_generates_an_access_key_of_the_stream_if_none_is_configured() -> None:
    access_keys = set()
    for environ in ({}, {ACCESS_KEYS_VARIABLE: " , "}):
        isolate_environment(environ)
        (key,) = access_keys_from(environ)
        access_keys.add(key)
    assert len(access_keys) == 2


def test_the_demo_monitors_the_simulated_services_and_the_services_with_stories() -> None:
    monitored_services = {*demo_config(settings()).services}
    services_with_stories = {file.stories.service for file in read_story_files(STORY_FOLDER)}
    assert monitored_services <= {*REGISTRY.service_names}
    assert monitored_services == {*SIMULATED_SERVICES} | services_with_stories


def test_the_only_configured_receiver_is_the_receiver_of_the_demo() -> None:
    assert [receiver.name for receiver in demo_config(settings()).receivers] == ["demo"]


async def test_a_simulated_aws_that_does_not_start_in_time_is_an_error() -> None:
    with pytest.raises(TimeoutError, match=r"did not start within 0\.001 s"):
        async with start_aws(start_timeout=0.001):
            pass


def test_all_accounts_have_names_and_all_accounts_but_the_first_have_roles() -> None:
    accounts = demo_config(settings()).monitored_accounts(REGISTRY)
    assert [account.name for account in accounts] == ["prod", "staging", "analytics"]
    assert [bool(account.role_arn) for account in accounts] == [False, True, True]
