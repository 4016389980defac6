"""Importing the code reads none of its other files: no catalogue, no template, no asset."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
import json
import os
import sys
from importlib import import_module
from pkgutil import walk_packages

root, opened = os.getcwd() + os.sep, set()


def record(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.add(os.path.abspath(arguments[0]))


sys.addaudithook(record)
names = [name for package in ("rules", "collectors", "monitor") for name in (
    package, *(module.name for module in walk_packages([package], package + "."))
)]
for name in names:
    import_module(name)
own = sorted(path.removeprefix(root) for path in opened if path.startswith(root))
print(json.dumps({"modules": names, "files": own}))
"""


def test_importing_every_module_opens_sources_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout)
    assert {"rules.limits", "collectors.builtin", "monitor.app", "monitor.demo.aws"} <= set(found["modules"])
    project_files = [
        file for file in found["files"] if file.startswith(("rules/", "collectors/", "monitor/"))
    ]
    assert [file for file in project_files if not file.endswith(".py") and "__pycache__" not in file] == []
    assert any(file.endswith((".py", ".pyc")) for file in project_files)  # the hook sees opened files


def test_serving_imports_no_library_that_only_some_configurations_need() -> None:
    script = "import monitor.app, monitor.cli.serve, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    imported = {*done.stdout.split()}
    assert "fastapi" in imported
    assert imported.isdisjoint({"re2", "cramjam", "textual", "apprise", "boto3", "moto"})
