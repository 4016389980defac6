"""Authentication and authorization of HTTP requests, and the TLS certificate of the server."""
