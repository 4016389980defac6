"""The HTTP server: its listener, and the ASGI application."""
