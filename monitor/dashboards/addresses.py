"""The default address of the runbooks that alerts link to: a folder of the repository."""

DEFAULT_RUNBOOKS = "docs/runbooks"
