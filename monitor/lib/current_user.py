"""The name of the user who runs the process."""

import os
import pwd

USER_VARIABLES = "LOGNAME", "USER", "LNAME", "USERNAME"  # the variables that `getpass.getuser` reads


def current_user(uid: int | None = None) -> str:
    """Return the name of the user, or `user 1000` if the user has no name, as in containers.

    uid: the id to look up if the environment has no name; by default the process's user id.
    """
    for variable in USER_VARIABLES:
        if name := os.environ.get(variable):
            return name
    uid = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
