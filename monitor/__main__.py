"""`python -m monitor` is `headroom`."""

from monitor.cli.main import main

if __name__ == "__main__":
    main()
