"""The command line: `headroom` and its subcommands."""
