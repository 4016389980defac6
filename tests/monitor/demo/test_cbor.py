"""Denials of the simulated AWS to clients that use RPC v2 CBOR."""

import pytest
from botocore.exceptions import ClientError

from tests.monitor.demo.conftest import ClientFactory


@pytest.mark.parametrize("region", ["eu-west-1", "ap-southeast-2"])
async def test_a_call_is_denied_in_the_protocol_of_the_client(aws: ClientFactory, region: str) -> None:
    async with aws("eventbridgev2", region) as client:
        with pytest.raises(ClientError) as error_info:
            await client.list_event_buses()
    error = error_info.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].startswith("User is not authorized to perform: events:ListEventBuses")
    assert error_info.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
