"""Events that signals of the operating system set."""

import asyncio
import signal


def set_on_signals(event: asyncio.Event, *signals: signal.Signals) -> asyncio.Event:
    """Let signals set an event of the running loop, and return the event. Call it before a server starts."""
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


def stopped_by_signals() -> asyncio.Event:
    """Return an event of the running loop that SIGINT and SIGTERM set."""
    return set_on_signals(asyncio.Event(), signal.SIGINT, signal.SIGTERM)
