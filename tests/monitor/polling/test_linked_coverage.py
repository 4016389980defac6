"""The known quotas of linked accounts, which are read without a role."""

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
FILE_SYSTEMS = "L-848C634D"  # the code of the quota of file systems


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, and remove the user's own AWS settings."""
    set_aws_environment(monkeypatch, CREDENTIALS)


def quota(code: str, value: float, **fields: Any) -> dict[str, Any]:
    """Return Service Quotas' description of a quota."""
    return {"QuotaCode": code, "QuotaName": f"Name of {code}", "Value": value, **fields}


def defaults_of(**quotas: list[dict[str, Any]]) -> Any:
    """Return an answer of ListAWSDefaultServiceQuotas. quotas: by service code."""
    return lambda ServiceCode, **_: {"Quotas": quotas.get(ServiceCode, [])}


async def known_quotas_of(aws: LinkedAws, **config: Any) -> Mapping[CellKey, KnownQuotas]:
    """Return the known quotas of each cell after a reading.

    The first call of `Watcher.known_quotas` makes the reading include the quotas of the services in use.
    """
    watcher: Watcher = aws.watcher(**config)
    try:
        await watcher.run_once(lambda done, steps: None)
        watcher.known_quotas()
        for cell in watcher.cells.values():
            await cell.inventory.quotas.read()
        return watcher.known_quotas()
    finally:
        await watcher.close()


def linked_aws(**answers: Any) -> LinkedAws:
    """Return an AWS with two linked accounts. answers: replace the answers of its calls."""
    aws = LinkedAws({FIRST: "shop", SECOND: "bank"}, {FIRST: [file_system("fs-1")]})
    for name, answer in answers.items():
        aws.aws.answers[name] = answer
    return aws


async def test_the_monitoring_account_reads_the_default_quotas_of_services_in_use() -> None:
    quotas = [quota(FILE_SYSTEMS, 1000.0), quota("L-00000001", 7.0)]
    aws = linked_aws(list_aws_default_service_quotas=defaults_of(elasticfilesystem=quotas))
    known = await known_quotas_of(aws)
    values = {item.quota.code: (item.value, item.source) for item in known[FIRST, REGION].lists[EFS]}
    assert values == {FILE_SYSTEMS: (1000.0, "quota_default"), "L-00000001": (7.0, "quota_default")}
    assert known[SECOND, REGION].lists == {}  # the account has no resource
    assert FIRST not in str([call for call in aws.aws.calls if call.startswith("service-quotas")])


async def test_a_denied_list_of_default_quotas_is_reported() -> None:
    aws = linked_aws(list_aws_default_service_quotas=lambda **_: denied("ListAWSDefaultServiceQuotas"))
    known = (await known_quotas_of(aws))[FIRST, REGION]
    assert known.lists == {}
    assert known.in_use == {EFS}
    assert "ListAWSDefaultServiceQuotas" in known.list_failures[0]
