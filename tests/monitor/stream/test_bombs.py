"""Small requests that decompress, or decode, to large ones: each takes little memory, and has an outcome."""

import json
import subprocess
import sys
from pathlib import Path

from tests.monitor.stream.bombs import BOMBS

MAX_GROWTH = 256  # MiB
ROOT = Path(__file__).parents[3]


def test_ingesting_a_bomb_takes_a_bounded_amount_of_memory() -> None:
    command = [sys.executable, "-m", "tests.monitor.stream.bombs"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    results = {result["name"]: result for result in map(json.loads, process.stdout.splitlines())}
    assert results.keys() == BOMBS.keys()
    for result in results.values():
        assert result["status"] == 0, result
        assert result["outcome"], result
        assert result["growth_mib"] <= MAX_GROWTH, result
