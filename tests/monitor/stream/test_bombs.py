"""Small requests that decompress, or decode, to large ones: each costs little memory, and is answered."""

import json
import subprocess
import sys
from pathlib import Path

from tests.monitor.stream.bombs import BOMBS

MAX_GROWTH = 256  # MiB
ROOT = Path(__file__).parents[3]


def test_no_request_takes_more_than_a_bounded_memory() -> None:
    command = [sys.executable, "-m", "tests.monitor.stream.bombs"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    results = {one["name"]: one for one in map(json.loads, printed.stdout.splitlines())}
    assert results.keys() == BOMBS.keys()
    for one in results.values():
        assert one["status"] == 0, one
        assert one["outcome"], one
        assert one["grown"] <= MAX_GROWTH, one
