"""The demo: a simulated AWS on loopback with realistic traffic, and Headroom configured to monitor it."""
