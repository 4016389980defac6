"""The environment of the demo: credentials that only the simulated AWS accepts, and nothing of the user's."""

import os
import secrets
from collections.abc import MutableMapping

from monitor.stream.settings import ACCESS_KEYS_VARIABLE, access_keys_from

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}
ENVIRONMENT = {
    **CREDENTIALS,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def isolate_environment(environ: MutableMapping[str, str]) -> None:
    """Replace the AWS settings in an environment with those of the demo, so that only loopback is used.

    Existing access keys of the stream are kept; without any, one is generated.
    """
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ.update(ENVIRONMENT)
    if not access_keys_from(environ):
        environ[ACCESS_KEYS_VARIABLE] = secrets.token_urlsafe()
