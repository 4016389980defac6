"""Outgoing HTTP: one client with guarded addresses, for notifiers and pushes."""
