"""The environment of the demo."""

from monitor.demo.session import isolate_environment
from monitor.stream.settings import ACCESS_KEYS_VARIABLE, access_keys_from


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
