"""Removes work that botocore's clients repeat at each call without need.

The requests stay the same: tests compare them with the requests of clients without tuning.
"""

from collections.abc import Mapping
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS
from botocore.handlers import add_retry_headers

from monitor.aws.call_signer import CallSigner

# Inputs of botocore's endpoint rules that are the same in all calls of a client.
FIXED_BUILTINS = frozenset(
    {
        None,  # no builtin: the parameter is one of the operation, or of the client's configuration
        "AWS::Region",
        "AWS::UseFIPS",
        "AWS::UseDualStack",
        "AWS::STS::UseGlobalEndpoint",
        "SDK::Endpoint",
    }
)


class ClientTuning:
    """Tunes the clients of a process, and lets them share the cache of botocore's event names."""

    def __init__(self) -> None:
        AUTH_TYPE_MAPS["v4"] = CallSigner  # not `s3v4`, which does not normalize paths
        self._event_names: dict[str, str] = {}

    def tune(self, client: Any) -> None:
        """Tune a client that has made no call yet."""
        client.meta.events._alias_name_cache = self._event_names
        remove_retry_handlers(client)
        cache_endpoints(client)


def remove_retry_handlers(client: Any) -> None:
    """Unregister botocore's own retry handlers if the client makes only one attempt at a call."""
    if client.meta.config.retries["total_max_attempts"] > 1:
        return
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister("request-created", add_retry_headers)
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


def cache_endpoints(client: Any) -> None:
    """Let a client derive the endpoint of an operation once, unless the call's parameters decide it."""
    resolver = client._ruleset_resolver
    if not {parameter.builtin for parameter in resolver._param_definitions.values()} <= FIXED_BUILTINS:
        return  # the endpoint of S3 contains the bucket, that of DynamoDB the account
    original_construct, endpoints = resolver.construct_endpoint, dict[str, Any]()

    async def construct_endpoint(
        operation_model: Any, call_args: Mapping[str, Any] | None, request_context: dict[str, Any] | None
    ) -> Any:
        name = operation_model.name
        if name not in endpoints:
            endpoint = await original_construct(operation_model, call_args, request_context)
            if operation_model.context_parameters or operation_model.operation_context_parameters:
                return endpoint
            endpoints[name] = endpoint
        return endpoints[name]

    resolver.construct_endpoint = construct_endpoint
