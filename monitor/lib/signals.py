"""Events that signals of the operating system set."""

import asyncio
import signal


def set_on_signals(event: asyncio.Event, *signals: signal.Signals) -> asyncio.Event:
    """Make signals set an event of the running loop, and return it. Call this before a server starts."""
    for one in signals:
        asyncio.get_running_loop().add_signal_handler(one, event.set)
    return event


def stopped_by_signals() -> asyncio.Event:
    """Return an event of the running loop that SIGINT and SIGTERM set."""
    return set_on_signals(asyncio.Event(), signal.SIGINT, signal.SIGTERM)
