"""The systemd unit: its commands exist, and it may write only to its state directory."""

import re
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from monitor.cli.commands import app
from tests.processes import ROOT

UNIT = (ROOT / "deploy" / "systemd" / "headroom.service").read_text("utf-8")


def values(key: str) -> list[str]:
    """Return the values of a key of the unit."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """Yield the arguments of each `headroom` that the unit starts."""
    for line in (*values("ExecStartPre"), *values("ExecStart")):
        program, *arguments = line.split()
        assert program == "/opt/headroom/bin/headroom"
        yield arguments


def test_the_unit_has_type_notify_a_watchdog_and_a_reload_by_sighup() -> None:
    assert values("Type") == ["notify"]
    assert values("WatchdogSec") and values("NotifyAccess") == ["main"]
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]


@pytest.mark.parametrize("arguments", [*commands()], ids=" ".join)
def test_the_commands_of_the_unit_exist(arguments: list[str]) -> None:
    *command, option, file = arguments
    assert (option, file) == ("--config", "/etc/headroom/headroom.yaml")
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0 and "--config" in re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_the_unit_may_write_only_to_its_state_directory() -> None:
    assert values("ProtectSystem") == ["strict"]
    assert values("WorkingDirectory") == [f"/var/lib/{name}" for name in values("StateDirectory")]
    assert values("NoNewPrivileges") == values("DynamicUser") == ["yes"]
    assert values("CapabilityBoundingSet") == [""]
