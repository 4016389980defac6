"""The description of the distribution: links to files of the project become their names."""

import re

import pytest

from deploy.package.index_readme import index_readme
from tests.test_readme import README


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See [Alerts](docs/alerts.md).", "See Alerts (docs/alerts.md)."),
        ("See [docs/alerts.md](docs/alerts.md).", "See docs/alerts.md."),
        ("See [more](docs/alerts.md#a-receiver).", "See more."),
        ("See [Cost](#cost).", "See Cost."),
        ("See [AWS](https://docs.aws.amazon.com/x#y).", "See [AWS](https://docs.aws.amazon.com/x#y)."),
        ("Before\n\n![a picture](docs/overview.png)\n\nAfter\n", "Before\n\nAfter\n"),
        ("[a](b.md) and [c](d.md)", "a (b.md) and c (d.md)"),
    ],
)
def test_a_link_to_a_file_becomes_its_text_and_name(text: str, expected: str) -> None:
    assert index_readme(text) == expected


def test_every_link_of_the_readme_leads_to_a_page() -> None:
    page = index_readme(README)
    assert [target for target in re.findall(r"\]\(([^)]+)\)", page) if "://" not in target] == []
    assert "docs/alerts.md" in page
