"""Notifiers: each turns a notification into what one kind of receiver understands, and sends it."""
