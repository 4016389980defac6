"""The environment and the configuration of the demo."""

import pytest

from monitor.demo.session import SIMULATED_SERVICES, demo_config, isolate_environment, start_aws
from monitor.demo.story_file import STORY_FOLDER, read_story_files
from monitor.stream.settings import ACCESS_KEYS_VARIABLE, access_keys_from
from tests.registries import REGISTRY


def test_access_keys_that_are_set_stay() -> None:
    environ = {ACCESS_KEYS_VARIABLE: "mine, other", "AWS_PROFILE": "prod"}
    isolate_environment(environ)
    assert access_keys_from(environ) == ("mine", "other")
    assert "AWS_PROFILE" not in environ


def test_without_any_the_demo_has_one_of_its_own() -> None:
    made = set()
    for given in ({}, {ACCESS_KEYS_VARIABLE: " , "}):
        isolate_environment(given)
        (key,) = access_keys_from(given)
        made.add(key)
    assert len(made) == 2


def test_it_monitors_the_services_that_it_can_show() -> None:
    services = demo_config("http://127.0.0.1:9", 0, "journal.db").services
    storied = {file.stories.service for file in read_story_files(STORY_FOLDER)}
    assert storied <= {*services} <= {*REGISTRY.service_names}
    assert {*services} - storied == {*SIMULATED_SERVICES} - storied


async def test_an_aws_that_does_not_start_in_time_is_told() -> None:
    with pytest.raises(TimeoutError, match=r"did not start within 0\.001 s"):
        async with start_aws(start_timeout=0.001):
            pass
