"""The environment variables that AWS's SDK reads."""

import os

import pytest

# With these, the SDK uses neither the AWS files nor the metadata service of the machine that runs the tests.
NO_CREDENTIALS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
CREDENTIALS = NO_CREDENTIALS | {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


def clear_environment(monkeypatch: pytest.MonkeyPatch, *prefixes: str) -> None:
    """Remove all variables whose names begin with one of the prefixes."""
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        monkeypatch.delenv(name)


def set_aws_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Remove all variables that begin with AWS_, and set those in `variables` that begin with AWS_."""
    clear_environment(monkeypatch, "AWS_")
    for name, value in variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
