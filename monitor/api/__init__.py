"""The JSON API: its routes, its models, and the client that commands use."""
