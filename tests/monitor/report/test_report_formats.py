"""The HTML and the Markdown report have the same content, and escape every name."""

import re

import pytest

from collectors.base import Resource
from monitor.cli.output import FORMATS
from monitor.fleet.fleet import Fleet
from monitor.report.markdown import as_markdown
from monitor.report.right_sizes import RightSizes
from monitor.report.summary import Summary, summarize
from tests.monitor.fleet.fleets import ACCOUNT, key
from tests.monitor.report.scans import add_unobservable_series, add_used_series, scan_report, stream
from tests.monitor.report.test_table import STRANGE_NAMES
from tests.monitor.sizing.test_recommendations import Purchases, buy_stream
from tests.monitor.web.pages import Page


def single_spaced(page: Page) -> str:
    """Return the words of a page, separated by single spaces."""
    return " ".join(page.words.split())


def summary_of(*names: str, region: str = "us-east-1") -> Summary:
    """Return a summary that has one entry of each kind for each name."""
    fleet = Fleet()
    for name in names:
        add_used_series(
            fleet, stream(f"{name} rises"), (150, 0.5), (20, 0.95), limit=1000, throttled_counts=[1, 2, 0]
        )
        add_used_series(fleet, stream(f"{name} idles", region), (180, 0.08), limit=8 * 2**20)
        add_unobservable_series(
            fleet, key(name, "s3.prefix_read_rate"), f"{name} is not enabled", f"aws s3api {name}"
        )
    report = scan_report(fleet, [f"ListStreams: {name} (AccessDenied)" for name in names])
    return summarize(report, {"service": names})


@pytest.fixture
def page() -> Page:
    return Page(FORMATS["html"](summary_of("orders")))


def test_both_formats_have_the_same_content() -> None:
    page, text = single_spaced(Page(FORMATS["html"](summary_of("orders")))), as_markdown(summary_of("orders"))
    for fact in (
        "orders rises",
        "saturated",
        "0.0333/s throttled",
        "95 %",
        "950 B/s",
        "Raise the shard count (UpdateShardCount, at most double, 10 times in 24 hours).",
        "orders idles",
        "8 shards",
        "6 shards",
        "8 %",
        "$65.7",
        "$0.015 an hour per shard in us-east-1",
        "https://aws.amazon.com/kinesis/data-streams/pricing/",
        "orders is not enabled",
        "aws s3api orders",
        "ListStreams: orders (AccessDenied)",
        "15 January 2027, 08:00 UTC",
        f"production ({ACCOUNT}) in eu-west-1, us-east-1",
        "only service orders",
        "178 metrics",
        "$0.00178",
        "Series read: 3.",
    ):
        assert fact in page, fact
        assert fact in text.replace("\\", ""), fact


@pytest.mark.parametrize("format", FORMATS)
def test_unknown_prices_are_named_and_not_estimated(format: str) -> None:
    output = FORMATS[format](summary_of("orders", region="eu-west-1")).replace("\\", "")
    assert "price not known for eu-west-1" in output
    assert "No total is given, because none of these prices is known." in output
    assert not re.search(r"\$[1-9]", output)


def sized_summary(name: str, omitted: int = 0) -> Summary:
    """Return a summary of a scan that found this stream too large, and another without enough data."""
    purchases = Purchases()
    buy_stream(purchases, 8, 0.08, 0.3, resource=Resource("stream", (name,)))
    buy_stream(purchases, 2, 0.08, 0.3, resource=Resource("stream", ("new",)), quarters=(90, 90))
    fleet = Fleet()
    add_used_series(fleet, stream("orders"), (180, 0.5), limit=1000)
    return summarize(scan_report(fleet, sizes=RightSizes(purchases.recommendations(), omitted)), {})


@pytest.mark.parametrize("format", FORMATS)
def test_right_sizes_show_cost_and_price_source_and_command(format: str) -> None:
    output = FORMATS[format](sized_summary("clicks", omitted=3)).replace("\\", "")
    for fact in (
        "clicks",
        "lower from 8 shards to 5",
        "-$32.87",
        "--target-shard-count 5",
        "0 purchases of the right size, 1 without enough data.",
        "Saved: $32.87 a month; needed: $0.00, by list price",
        "https://aws.amazon.com/kinesis/data-streams/pricing/ (2026-09-25)",
        "3 more purchases were not examined.",
    ):
        assert fact in output, fact


@pytest.mark.parametrize("format", FORMATS)
def test_without_past_demand_no_size_is_recommended_and_the_needed_option_is_named(format: str) -> None:
    output = FORMATS[format](summary_of("orders")).replace("\\", "")
    assert "Right sizes" in output
    assert "No size was computed: --forecast reads the demand of the last 14 days." in output


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_section_says_that_it_is_empty(format: str) -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("orders"), (180, 0.5), limit=1000)
    output = FORMATS[format](summarize(scan_report(fleet), {}))
    assert "No provisioned capacity is below its target band." in output
    assert output.count("None.") == 2
    assert "could be judged" not in output
    assert "only" not in output.partition("Most urgent")[0].rpartition("Generated on")[2]


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_without_judged_series_calls_no_section_empty(format: str) -> None:
    output = FORMATS[format](summarize(scan_report(Fleet(), ["ListStreams: no (AccessDenied)"]), {}))
    assert output.count("No series could be judged.") == 1
    assert output.count("Unknown: no series could be judged.") == 2
    assert "None." not in output and "is below its target band." not in output


def test_the_page_has_no_scripts_and_no_external_resources(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base", "use", "image"})
    loading_attributes = {"src", "srcset", "data", "action", "xlink:href", "background", "style"}
    for tag, attributes in page.elements:
        assert loading_attributes.isdisjoint(attributes), (tag, attributes)
        assert "href" not in attributes or tag == "a"
        assert not any(name.startswith("on") for name in attributes)
    policy = next(
        attributes for tag, attributes in page.elements if tag == "meta" and "http-equiv" in attributes
    )
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    style = re.search("<style>(.*)</style>", FORMATS["html"](summary_of("orders")), re.DOTALL)
    assert style and not re.search(r"url\(|@import", style[1])
    assert "prefers-color-scheme: dark" in style[1] and "@media print" in style[1]


def test_the_page_shows_bars_and_sparklines(page: Page) -> None:
    classes = [attributes.get("class") for tag, attributes in page.elements if tag == "svg"]
    assert classes.count("bar") == classes.count("sparkline") == 3, "two series, one of them in two sections"
    labels = {attributes.get("aria-label") for tag, attributes in page.elements if tag == "svg"}
    assert "three hours: 50 % to 95 % of the limit, throttled at times" in labels


@pytest.mark.parametrize(
    "name", [*STRANGE_NAMES, "</style><script>alert(1)</script>", "{{ 7 * 7 }}", "a\udc80\ud800b", "x" * 1000]
)
def test_any_name_is_escaped_on_the_page(name: str) -> None:
    page, with_plain_name = (Page(FORMATS["html"](summary_of(text))) for text in (name, "plain"))
    assert all(character.isprintable() for character in single_spaced(page))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in with_plain_name.elements]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert " ".join(f"{shown} rises".split()) in single_spaced(page)


@pytest.mark.parametrize(
    "name", [*STRANGE_NAMES, "a\\|b", "| --- |", "# heading", "a\udc80\ud800b", "x" * 1000]
)
def test_any_name_is_escaped_in_a_table_of_markdown(name: str) -> None:
    text, with_plain_name = as_markdown(summary_of(name)), as_markdown(summary_of("plain"))
    bar_counts = [
        len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in text.splitlines() if line.startswith("| ")
    ]
    assert bar_counts == [line.count("|") for line in with_plain_name.splitlines() if line.startswith("| ")]
    assert len(text.splitlines()) == len(with_plain_name.splitlines())


def test_markdown_draws_the_last_three_hours() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("orders"), (90, 0.5), (90, 1.0), limit=1000)
    assert f"`{'▄' * 9}{'█' * 9}`" in as_markdown(summarize(scan_report(fleet), {}))
