"""The file of request paths: all of its problems are reported at once, each with its line."""

import pytest

from rules.path_file import MAX_HOPS, MAX_NAME_LENGTH, parse_paths

CHAIN = """
paths:
  - name: checkout
    region: eu-west-1
    hops:
      - {service: apigateway, resource: storefront/prod}
      - {service: sqs, resource: orders}
      - {service: lambda, resource: worker, batch: 10}
      - {service: kms, name: key, after: [orders, worker]}
"""


def hops(*lines: str) -> str:
    """Return the text of a file with one path, which has these hops."""
    return "paths:\n  - name: x\n    hops:\n" + "".join(f"      - {line}\n" for line in lines)


def test_a_hop_without_after_follows_the_hop_before_it() -> None:
    file = parse_paths(CHAIN.encode(), "paths.yaml")
    assert file.problems == [] and file.model
    (path,) = file.model.paths
    assert {**path.predecessors} == {
        "storefront/prod": (),
        "orders": ("storefront/prod",),
        "worker": ("orders",),
        "key": ("orders", "worker"),
    }
    assert path.ordered_hops[2].units_per_unit == 0.1


def test_hops_may_be_written_in_any_order() -> None:
    text = hops(
        "{service: lambda, resource: fn, after: [api]}",
        "{service: apigateway, resource: a/b, name: api, after: []}",
    )
    file = parse_paths(text.encode(), "paths.yaml")
    assert file.model and [hop.effective_name for hop in file.model.paths[0].ordered_hops] == ["api", "fn"]


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("é" * MAX_NAME_LENGTH, True),
        ("a" * (MAX_NAME_LENGTH + 1), False),
        ("buy now: v1.2 @home+away-", True),
        ("-a", False),
        ("a/b", False),
    ],
)
def test_the_name_of_a_path_is_limited_in_length_and_characters(name: str, is_valid: bool) -> None:
    file = parse_paths(f"paths: [{{name: '{name}', hops: [{ENTRANCE}]}}]".encode(), "paths.yaml")
    assert bool(file.model) == is_valid
    assert all("paths.0.name" in str(problem) for problem in file.problems)


ENTRANCE = "{service: sqs, resource: jobs}"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            hops(
                "{service: sqs, resource: a, after: [c]}",
                "{service: lambda, resource: b}",
                "{service: sns, resource: c}",
            ),
            ["paths.yaml:3: paths.0.hops: expected a path without a cycle, found a -> b -> c -> a"],
        ),
        (
            hops(ENTRANCE, "{service: lamda, resource: b, batch: -1}", "{service: sns, size: 3}"),
            [
                "paths.yaml:5: paths.0.hops.1.service: expected one of",
                "found 'lamda'; did you mean lambda?",
                "paths.yaml:5: paths.0.hops.1.batch: expected more than 0, found -1",
                "paths.yaml:6: paths.0.hops.2.size: unknown key",
            ],
        ),
        (
            hops(ENTRANCE, "{service: lambda}", "{service: sns, resource: t, after: [jops]}"),
            [
                "paths.yaml:5: paths.0.hops.1.resource: missing: the Lambda function",
                "paths.yaml:6: paths.0.hops.2.after.0: expected the name of a hop, found 'jops'; did",
            ],
        ),
        (
            hops(ENTRANCE, "{service: lambda, resource: jobs}"),
            ["paths.yaml:5: paths.0.hops.1.name: expected a name that no other hop has, found jobs again"],
        ),
        (
            hops(
                ENTRANCE,
                "{service: lambda, resource: f, uses: {account_concurency: 2}, batch: 2, per_unit: 3}",
            ),
            [
                "hops.1.uses.account_concurency: expected a limit of the hop",
                "did you mean account_concurrency?",
                "hops.1.batch: expected one of per_unit and batch, as they say the same",
            ],
        ),
        (
            hops("{service: dynamodb, resource: t, per_request: 2}"),
            [
                "hops.0.per_request: expected none at the entrance",
                "hops.0.service: expected a service whose requests are counted",
            ],
        ),
        (
            hops(ENTRANCE, "{service: lambda, resource: f, after: []}"),
            ["paths.0.hops: expected one entrance, found 2: jobs, f"],
        ),
        (CHAIN + CHAIN.partition("paths:")[2], ["expected another name than path 0"]),
        (
            "paths:\n  - {name: a/b, hops: []}",
            ["paths.0.name: expected text that matches", "expected at least 1, found 0"],
        ),
        ("", ["expected a mapping of paths, found nothing"]),
        ("paths: [}", ["paths.yaml:1: file:"]),
        (hops(*["{service: sqs, resource: q}"] * (MAX_HOPS + 1)), ["paths.0.hops: "]),
    ],
)
def test_every_problem_is_reported_with_its_place(text: str, problems: list[str]) -> None:
    found = "\n".join(parse_paths(text.encode(), "paths.yaml").problems)
    assert [problem for problem in problems if problem not in found] == [], found
    assert parse_paths(text.encode(), "paths.yaml").model is None
