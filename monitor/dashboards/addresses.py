"""The addresses that the links of alerts lead to by default."""

RUNBOOKS = "docs/runbooks"
