"""The output of `headroom check`, `report` and `catalogue`: the scan and its formats."""
