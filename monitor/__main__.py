"""`python -m monitor` is `headroom`."""

from monitor.cli.main import main

main()
