"""The paths of the reference catalogue, and the modules that are left out where something is missing."""

import shutil
from pathlib import Path

# The reference catalogue exists only beside the developers' checkout; without it these tests are left out.
REFERENCE = Path(__file__).parents[2] / ".." / "shared" / "reference" / "limits-core.yaml"

STREAMS = REFERENCE.parents[1] / "fixtures" / "streams"

collect_ignore = [] if REFERENCE.exists() else ["test_reference.py", "test_streams.py"]
if shutil.which("helm") is None:  # `make acceptance` builds it where Go is installed
    collect_ignore += ["test_helm.py"]
