"""AWS on loopback, with realistic traffic: `python -m monitor.demo.aws`."""
