"""The tuning of botocore's clients: what they do for each call, and need not.

It changes how botocore comes to a request, and nothing of the request: tests compare them.
"""

from collections.abc import Mapping
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS
from botocore.handlers import add_retry_headers

from monitor.aws.call_signer import CallSigner

# What botocore derives endpoints from that is the same in all calls of a client.
FIXED_BUILTINS = frozenset(
    {
        None,  # of parameters of an operation, or of the client's configuration
        "AWS::Region",
        "AWS::UseFIPS",
        "AWS::UseDualStack",
        "AWS::STS::UseGlobalEndpoint",
        "SDK::Endpoint",
    }
)


class ClientTuning:
    """The tuning of the clients of a process, which share what does not depend on the region."""

    def __init__(self) -> None:
        AUTH_TYPE_MAPS["v4"] = CallSigner  # `s3v4`, which signs paths as they are, stays botocore's
        self._event_names: dict[str, str] = {}

    def tune(self, client: Any) -> None:
        """Tune a client that was created just now."""
        client.meta.events._alias_name_cache = self._event_names
        leave_out_retries(client)
        remember_endpoints(client)


def leave_out_retries(client: Any) -> None:
    """Unregister what botocore does at each call for retries of its own, where it makes one attempt alone."""
    if client.meta.config.retries["total_max_attempts"] > 1:
        return
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister("request-created", add_retry_headers)
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


def remember_endpoints(client: Any) -> None:
    """Let a client derive the endpoint of an operation once, unless it depends on what a call is about."""
    resolver = client._ruleset_resolver
    if not {one.builtin for one in resolver._param_definitions.values()} <= FIXED_BUILTINS:
        return  # such as S3's, with the bucket in it, and DynamoDB's, with the account
    construct, known = resolver.construct_endpoint, dict[str, Any]()

    async def construct_endpoint(
        operation_model: Any, call_args: Mapping[str, Any] | None, request_context: dict[str, Any] | None
    ) -> Any:
        name = operation_model.name
        if name not in known:
            found = await construct(operation_model, call_args, request_context)
            if operation_model.context_parameters or operation_model.operation_context_parameters:
                return found
            known[name] = found
        return known[name]

    resolver.construct_endpoint = construct_endpoint
