"""Failed reads as sentences: one for each failure, or one for each account and cause if there are many."""

from monitor.alerting.visibility import ObservationTarget
from monitor.aws.failure import Failure
from monitor.report.failed_reads import MAX_FAILED_READS, FailedReads, LocatedFailure, sentences_by_cause
from monitor.schema.selector import Location
from tests.registries import REGISTRY

SHOP, BANK = "111111111111", "222222222222"
OPERATIONS = {"kinesis": "ListStreams", "sqs": "ListQueues", "lambda": "ListFunctions", "s3": "ListBuckets"}
UNEXPLAINED = "not authorized"
DENIED_BY_ORGANIZATION = (
    "User is not authorized to perform: kinesis:ListStreams with an explicit deny in a service control policy"
)


def denied_lists(
    account: str, region: str, services: list[str], message: str = UNEXPLAINED
) -> list[LocatedFailure]:
    """Return a failure for each service: the operation that lists its resources is denied."""
    return [
        (Location(account, "", region, name), Failure(OPERATIONS[name], "", "AccessDenied", message))
        for name in services
    ]


def cells(*accounts_and_regions: tuple[str, str]) -> list[ObservationTarget]:
    """Return the cells in these accounts and regions, as targets."""
    return [ObservationTarget(account, region, "", "", 0.0, 0.0) for account, region in accounts_and_regions]


READ_CELLS = cells((SHOP, "eu-west-1"), (SHOP, "eu-west-2"), (SHOP, "eu-west-3"), (BANK, "eu-west-1"))


def test_few_failures_have_a_sentence_each() -> None:
    failures = denied_lists(SHOP, "eu-west-1", ["kinesis", "sqs", "sqs"])
    assert sentences_by_cause(failures, READ_CELLS, REGISTRY) == [
        f"{SHOP}/eu-west-1 kinesis: ListStreams: not authorized (AccessDenied)",
        f"{SHOP}/eu-west-1 sqs: ListQueues: not authorized (AccessDenied)",
    ]


def test_an_account_without_permissions_is_one_sentence_with_the_remedy() -> None:
    failures = [
        failure
        for account, region in ((SHOP, "eu-west-1"), (SHOP, "eu-west-2"), (BANK, "eu-west-1"))
        for failure in denied_lists(account, region, [*OPERATIONS])
    ]
    shop, bank = sentences_by_cause(failures, READ_CELLS, REGISTRY)
    assert shop.startswith(f"AccessDenied of kinesis:ListStreams and 3 more in 2 of 3 regions of {SHOP} (")
    assert f"in eu-west-1 of {BANK}" in bank
    titles = ", ".join(REGISTRY.title(name) for name in sorted(OPERATIONS))
    for sentence in (shop, bank):
        assert f"Not monitored there: {titles}." in sentence
        assert "`headroom iam-policy` prints a policy" in sentence


def test_each_cause_has_its_own_sentence() -> None:
    throttled = (
        Location(SHOP, "", "eu-west-1", "sqs"),
        Failure("ListQueues", "", "ThrottlingException", "Rate exceeded"),
    )
    sentences = sentences_by_cause(
        [*denied_lists(SHOP, "eu-west-1", [*OPERATIONS]), throttled], READ_CELLS, REGISTRY
    )
    assert [sentence.partition(":")[0] for sentence in sentences] == [
        "AccessDenied of kinesis",
        f"{SHOP}/eu-west-1 sqs",
    ]


def test_unexplained_denials_are_attributed_to_an_organization_that_denies_other_calls() -> None:
    failures = denied_lists(SHOP, "eu-west-1", ["sqs", "lambda", "s3"])
    failures += denied_lists(SHOP, "eu-west-1", ["kinesis"], DENIED_BY_ORGANIZATION)
    (sentence,) = sentences_by_cause(failures, READ_CELLS, REGISTRY)
    assert sentence.startswith("The organization denies kinesis:ListStreams and 3 more in eu-west-1")


def test_the_sentence_of_an_account_that_cannot_be_opened_has_its_name() -> None:
    failures = [(Location("", "shop"), Failure("AssumeRole", "", "AccessDenied", UNEXPLAINED))]
    (sentence,) = sentences_by_cause(failures, READ_CELLS, REGISTRY)
    assert sentence.startswith(
        "account shop: AssumeRole: not authorized (AccessDenied). Let the role's trust"
    )


def test_the_first_of_many_causes_are_listed_and_the_other_causes_are_counted() -> None:
    causes = [f"cause {number}" for number in range(MAX_FAILED_READS + 2)]
    sentences = FailedReads(causes, causes).listed_sentences
    assert sentences[:-1] == causes[:MAX_FAILED_READS]
    assert sentences[-1].startswith("2 more lines are left out")
    assert not FailedReads()
