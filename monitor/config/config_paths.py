"""The paths of the configuration file and of the files of the user's own services."""

from collections.abc import Mapping
from pathlib import Path

DEFAULT_FILE = Path("headroom.yaml")
PATH_VARIABLE = "HEADROOM_CONFIG"
USER_FOLDER = "catalogue.d"  # beside the configuration file


def given_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file that `path`, or else $HEADROOM_CONFIG, names; None if neither names a file."""
    return path or (Path(environ[PATH_VARIABLE]) if environ.get(PATH_VARIABLE) else None)


def chosen_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the named file, or else ./headroom.yaml if it exists; None without a file."""
    return given_file(path, environ) or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def user_folder(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's own services: `catalogue.d/` beside the configuration file."""
    return (given_file(path, environ) or DEFAULT_FILE).parent / USER_FOLDER
