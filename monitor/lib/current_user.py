"""The name of the user who runs the process."""

import getpass
import os


def current_user() -> str:
    """Return the name of the user, or `user 1000` for one without a name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
