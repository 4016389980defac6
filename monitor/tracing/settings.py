"""The settings of traces of Headroom itself, `tracing` in the configuration file."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Self

from pydantic import Field, model_validator

from monitor.schema.problems import problem
from monitor.schema.secrets import Secret, SecretEnv, SecretFile, given_secret
from monitor.schema.types import ConfigModel, Duration, Url

NOT_INSTALLED = "OpenTelemetry is not installed: pip install 'aws-headroom[tracing]'"
LIBRARIES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


class TracingConfig(ConfigModel):
    """A receiver of traces: a collector or a database that supports OTLP over HTTP."""

    endpoint: Url = Field(
        description="URL to send spans to, such as http://127.0.0.1:4318/v1/traces of a collector."
    )
    sample_ratio: Annotated[float, Field(strict=True, gt=0, le=1)] = Field(
        default=1.0, description="Share of the spans that are recorded, chosen at random; 0.1 is 10 %."
    )
    bearer_token: Secret | None = Field(default=None, description="Token for the Authorization header.")
    bearer_token_env: SecretEnv | None = Field(
        default=None, description="Environment variable that holds the token."
    )
    bearer_token_file: SecretFile | None = Field(default=None, description="File that holds the token.")
    timeout: Duration = Field(default=10, ge=1, le=60, description="How long a request may take; 1 s to 1 m.")

    @property
    def headers(self) -> Mapping[str, str]:
        """The Authorization header, if there is a token."""
        token = given_secret(self, "bearer_token")
        return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        _ = self.headers  # raises if the token is given in several ways
        if not all(map(_is_installed, LIBRARIES)):
            raise problem(NOT_INSTALLED)
        return self


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent of the module is not installed
        return False
