"""The order in which clients are created, one after the other."""

import asyncio
from contextlib import aclosing

from monitor.aws.clients import ClientCache


async def test_the_client_of_cloudwatch_waits_for_at_most_one_other_client() -> None:
    created: list[str] = []
    async with aclosing(ClientCache()) as clients:

        async def create(service: str) -> None:
            await clients.get(service, "eu-west-1", None)
            created.append(service)

        async with asyncio.TaskGroup() as tasks:
            for service in ("sqs", "sns", "kinesis", "kms", "dax"):
                tasks.create_task(create(service))
            await asyncio.sleep(0)
            tasks.create_task(create("cloudwatch"))
    assert created.index("cloudwatch") <= 1
    assert len(created) == 6
