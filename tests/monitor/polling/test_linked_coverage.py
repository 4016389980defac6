"""The quotas of accounts that are read without a role, in the coverage."""

from collections.abc import Mapping
from typing import Any

import pytest

from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.fleet.key import CellKey
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.fake_aws import denied
from tests.monitor.polling.linked_aws import FIRST, REGION, SECOND, LinkedAws, file_system

EFS = "elasticfilesystem"
FILE_SYSTEMS = "L-848C634D"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and nothing else of the user's."""
    set_aws_environment(monkeypatch, CREDENTIALS)


def quota(code: str, value: float, **described: Any) -> dict[str, Any]:
    """Return a quota, as Service Quotas describes it."""
    return {"QuotaCode": code, "QuotaName": f"Name of {code}", "Value": value, **described}


def defaults_of(**quotas: list[dict[str, Any]]) -> Any:
    """Return a method that lists the default quotas of each service code."""
    return lambda ServiceCode, **_: {"Quotas": quotas.get(ServiceCode, [])}


async def known_of(aws: LinkedAws, **config: Any) -> Mapping[CellKey, KnownQuotas]:
    """Return what is known once the lists were read that the first look asks for."""
    watch: Watcher = aws.watcher(**config)
    try:
        await watch.run_once(lambda done, steps: None)
        watch.known_quotas()
        for cell in watch.cells.values():
            await cell.inventory.quotas.read()
        return watch.known_quotas()
    finally:
        await watch.close()


def linked_aws(**answers: Any) -> LinkedAws:
    """Return a monitoring account with two linked ones. answers: instead of its own."""
    aws = LinkedAws({FIRST: "shop", SECOND: "bank"}, {FIRST: [file_system("fs-1")]})
    for name, answer in answers.items():
        aws.aws.answers[name] = answer
    return aws


async def test_the_defaults_of_services_in_use_are_read_by_the_monitoring_account() -> None:
    listed = [quota(FILE_SYSTEMS, 1000.0), quota("L-00000001", 7.0)]
    aws = linked_aws(list_aws_default_service_quotas=defaults_of(elasticfilesystem=listed))
    known = await known_of(aws)
    found = {one.quota.code: (one.value, one.source) for one in known[FIRST, REGION].lists[EFS]}
    assert found == {FILE_SYSTEMS: (1000.0, "quota_default"), "L-00000001": (7.0, "quota_default")}
    assert known[SECOND, REGION].lists == {}  # nothing of it is in use
    assert FIRST not in str([call for call in aws.aws.calls if call.startswith("service-quotas")])


async def test_a_list_that_is_denied_is_reported() -> None:
    aws = linked_aws(list_aws_default_service_quotas=lambda **_: denied("ListAWSDefaultServiceQuotas"))
    known = (await known_of(aws))[FIRST, REGION]
    assert known.lists == {}
    assert known.in_use == {EFS}
    assert "ListAWSDefaultServiceQuotas" in known.list_failures[0]
