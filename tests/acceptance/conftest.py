from pathlib import Path

# What the catalogue is held against lies beside the checkout where it is developed, and nowhere else.
REFERENCE = Path(__file__).parents[2] / ".." / "shared" / "reference" / "limits-core.yaml"

STREAMS = REFERENCE.parents[1] / "fixtures" / "streams"

collect_ignore = [] if REFERENCE.exists() else ["test_reference.py", "test_streams.py"]
