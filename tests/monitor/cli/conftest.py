"""Fixtures of all tests of the command line."""

from pathlib import Path

import pytest

from tests.aws_environment import clear_environment


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder without a configuration, and remove all settings from the environment."""
    monkeypatch.chdir(tmp_path)
    clear_environment(monkeypatch, "AWS_", "HEADROOM_")
    return tmp_path
