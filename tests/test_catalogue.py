"""The catalogue, the collectors and their tests have the same signals."""

import ast
import re
import sys
from pathlib import Path

import pytest

from collectors.base import Collector
from rules.model_file import parse_model
from rules.signals import AWS_DOCS, CATALOGUE_FOLDER, Service, ServiceFamily
from rules.sizes import Size
from rules.strict_yaml import parse
from tests.registries import REGISTRY, SIGNALS, each_service

TESTS = Path(__file__).parent / "collectors"

each_collector = pytest.mark.parametrize(
    "collector", REGISTRY.collectors, ids=lambda collector: collector.service
)
# `Collector.signals` is empty without a declaration.
each_python_collector = pytest.mark.parametrize(
    "collector",
    [collector for collector in REGISTRY.collectors if not collector.signals],
    ids=lambda collector: collector.service,
)


def sources_of(collector: Collector) -> list[Path]:
    """The files of a collector: its module, or all modules of its package."""
    path = Path(str(sys.modules[collector.scans[0].__module__].__file__))
    return [path] if path.parent.name == "collectors" else [*path.parent.glob("*.py")]


def own_tests(collector: Collector) -> list[Path]:
    """The files that test a collector."""
    path = sources_of(collector)[0]
    own = TESTS / path.parent.name
    return [*(own.glob("*.py") if own.is_dir() else TESTS.glob(f"test_{path.stem.strip('_')}*.py"))]


def string_constants(path: Path) -> list[str]:
    """The string constants of a file."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_services_of_the_catalogue_are_those_of_the_collectors() -> None:
    services = REGISTRY.service_names
    assert sorted(services) == sorted(REGISTRY.services)
    assert len(set(services)) == len(services)


def test_every_file_of_the_catalogue_is_named_like_its_service() -> None:
    assert {path.stem for path in CATALOGUE_FOLDER.iterdir()} == set(REGISTRY.services)


@each_service
def test_a_service_has_a_family_of_dashboards(service: Service) -> None:
    assert service.family is not ServiceFamily.OTHER, f"expected `family: {'|'.join(ServiceFamily)}`"


INHIBITORS = {  # by signal: the signals that inhibit its alerts, written out to check the groups
    "kinesis.shard_write_bytes": "shard_write_records stream_write_bytes stream_write_records "
    "on_demand_write_capacity",
    "kinesis.shard_write_records": "shard_write_bytes stream_write_bytes stream_write_records "
    "on_demand_write_capacity",
    "kinesis.stream_write_bytes": "shard_write_bytes shard_write_records stream_write_records "
    "on_demand_write_capacity",
    "kinesis.stream_write_records": "shard_write_bytes shard_write_records stream_write_bytes "
    "on_demand_write_capacity",
    "kinesis.on_demand_write_capacity": "shard_write_bytes shard_write_records stream_write_bytes "
    "stream_write_records",
    "kinesis.shard_read_bytes": "shard_get_records_rate",
    "kinesis.shard_get_records_rate": "shard_read_bytes",
    "lambda.account_concurrency": "unreserved_concurrency invoke_rate_sync",
    "lambda.unreserved_concurrency": "account_concurrency invoke_rate_sync",
    "lambda.invoke_rate_sync": "account_concurrency unreserved_concurrency",
    "lambda.concurrency_scaling_rate": "account_concurrency unreserved_concurrency invoke_rate_sync",
    "s3.prefix_write_rate": "prefix_errors",
    "s3.prefix_read_rate": "prefix_errors",
    "s3.prefix_errors": "prefix_errors",
}


def inhibitors_in_table(service: str) -> dict[str, str]:
    """Return the inhibitors of each signal from the test table of a declared service."""
    path = TESTS / f"{service}.yaml"
    data = parse(path.read_bytes())[0] if path.exists() else {}
    inhibitors: dict[str, str] = data.get("inhibitors", {})
    return inhibitors


@each_service
def test_each_signal_has_the_expected_inhibitors(service: Service) -> None:
    declared = inhibitors_in_table(service.service)
    assert {name: service.inhibitors(name) for name in service.signals} == {
        signal.name: frozenset(INHIBITORS.get(signal.id, declared.get(signal.name, "")).split())
        for signal in service.signals.values()
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("service: sqs\nsignals: &all {}\nothers: *all", "sqs.yaml:3: others: aliases are not supported"),
        ("service: sqs\nservice: sqs", "sqs.yaml:2: service: given twice"),
        ("service: !!str sqs", "sqs.yaml:1: service: tags are not supported"),
        (
            "",
            "sqs.yaml:1: file: expected a mapping of service, title, family, console, "
            "quota_services, bounded_by, prices, signals, found nothing",
        ),
        (
            "- sqs",
            "sqs.yaml:1: file: expected a mapping of service, title, family, console, "
            "quota_services, bounded_by, prices, signals, found a list",
        ),
        (
            "service: sqs\nsignals:\n  all: yes",
            "sqs.yaml:3: signals.all: expected a mapping of service, name",
        ),
        (
            "service: sqs\nsignals: {all: {for: -1}}",
            "sqs.yaml:2: signals.all.for: expected at least 0, found -1",
        ),
        ("service: sqs\nsignals: 5", "sqs.yaml:2: signals: expected a mapping, found 5"),
        ("service: sqs\nsignals: {all: {unt: s}}", "signals.all.unt: unknown key; did you mean unit?"),
        (
            "service: sqs\nsignals:\n  all:\n    kind: quotta",
            "sqs.yaml:4: signals.all.kind: expected 'quota', 'provisioned' or 'fixed', found 'quotta'",
        ),
        (
            "signals:\n  all:\n    quota:\n      code: L-1",
            "sqs.yaml:4: signals.all.quota.code: expected text that matches ^L-[0-9A-F]{8}$, found 'L-1'",
        ),
        (
            "signals: {all: {command: 'aws sqs x --name {queue}'}}",
            "signals.all.command.run: expected --name={queue}, as an id may begin with a hyphen",
        ),
        (
            "signals:\n  all:\n    docs: ['javascript:alert()']\n    remedy: []",
            "sqs.yaml:4: signals.all.remedy: expected at least 1, found 0",
        ),
        (
            "signals:\n  all:\n    docs: ['javascript:alert()']",
            "sqs.yaml:3: signals.all.docs.0: expected text that matches ^https?://",
        ),
        ("a: [b, {c", "sqs.yaml:2: file: did not find expected"),
    ],
)
def test_every_problem_of_an_entry_is_reported_with_its_line(text: str, problem: str) -> None:
    problems = parse_model(text.encode(), "sqs.yaml", Service).problems
    assert [line for line in problems if problem in line], problems


def test_an_unknown_unit_is_reported_with_its_place_and_the_nearest_unit() -> None:
    text = (CATALOGUE_FOLDER / "sqs.yaml").read_text("utf-8")
    wrong = text.replace("unit: messages/s\n", "unit: messages/sec\n", 1)
    (problem,) = parse_model(wrong.encode(), "sqs.yaml", Service).problems
    line = wrong.partition("messages/sec")[0].count("\n") + 1
    assert problem.startswith(f"sqs.yaml:{line}: signals.fifo_message_rate_batched.unit: expected a unit ")
    assert problem.endswith("; did you mean messages/s?")


def test_a_reference_to_an_unknown_signal_is_reported_with_its_line() -> None:
    text = (CATALOGUE_FOLDER / "alb.yaml").read_text("utf-8")
    wrong = re.sub(r"inhibited_by: \[\w+", "inhibited_by: [nothing", text, count=1)
    (problem,) = parse_model(wrong.encode(), "alb.yaml", Service).problems
    assert re.match(
        r"alb\.yaml:[1-9]\d+: signals\.\w+: .* expected signals of the service, found nothing", problem
    )


def test_the_catalogue_has_no_anchors() -> None:
    """The reader ignores an anchor that nothing refers to."""
    assert [path.name for path in CATALOGUE_FOLDER.iterdir() if re.search(r"[:-] &", path.read_text())] == []


@each_python_collector
def test_a_collector_names_every_signal_of_its_service(collector: Collector) -> None:
    named_signals = {text for path in sources_of(collector) for text in string_constants(path)}
    assert set(REGISTRY.services[collector.service].signals) <= named_signals


@each_python_collector
def test_a_collector_names_only_signals_of_the_catalogue(collector: Collector) -> None:
    named_signals = {
        node.value.value
        for path in sources_of(collector)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "signal" and isinstance(node.value, ast.Constant)
    }
    assert named_signals <= set(REGISTRY.services[collector.service].signals)


@each_python_collector
def test_the_tests_of_a_collector_name_every_signal_of_its_service(collector: Collector) -> None:
    mentioned = {text for path in own_tests(collector) for text in string_constants(path)}
    assert set(REGISTRY.services[collector.service].signals) <= mentioned


@each_service
def test_the_texts_and_links_of_a_signal_are_valid_and_different(service: Service) -> None:
    for signal in service.signals.values():
        texts = [signal.title, signal.why, signal.saturation, *signal.caveats, *signal.remedy]
        assert [text for text in texts if text != text.strip() or len(text) < 3] == [], signal.id
        assert len(set(texts)) == len(texts), signal.id
        assert len(set(signal.docs)) == len(signal.docs), signal.id
        assert [url for url in signal.docs if not url.startswith(AWS_DOCS)] == [], signal.id


@each_service
def test_advice_is_whole_sentences(service: Service) -> None:
    """A comma in an unquoted YAML list splits a sentence in two, without an error."""
    texts = [
        text
        for signal in service.signals.values()
        for text in (signal.why, signal.saturation, *signal.caveats, *signal.remedy)
    ]
    parts = [text for text in texts if not text.endswith(".") or text.count("(") != text.count(")")]
    assert parts == [], "no sentences; one with a comma stands on a line of its own, after `- `"


def test_the_id_of_a_signal_is_valid_in_labels_and_addresses() -> None:
    names = [signal.id for signal in REGISTRY.signals]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9_-]+\.[a-z0-9_]+", name)] == []


def test_no_two_signals_of_a_service_have_the_same_title() -> None:
    for service in REGISTRY.services.values():
        titles = [signal.title for signal in service.signals.values()]
        assert len(set(titles)) == len(titles), service.service


def test_sizes_with_the_same_name_and_item_differ_only_in_what_an_item_holds() -> None:
    sizes: dict[tuple[str, str, str], Size] = {}
    for signal in REGISTRY.signals:
        for name, size in signal.sizes.items():
            other = sizes.setdefault((signal.service, name, size.item), size)
            assert size.model_copy(update={"holds": other.holds}) == other, signal.id


def test_a_default_by_region_differs_from_the_default_of_all_regions() -> None:
    for signal in REGISTRY.signals:
        if signal.default:
            assert signal.default.value not in signal.default.by_region.values(), signal.id


def test_a_service_is_unchanged_after_it_is_written_as_json_and_read() -> None:
    for service in REGISTRY.services.values():
        assert Service.model_validate_json(service.model_dump_json()) == service


def test_remedies_with_the_same_command_take_equally_long() -> None:
    minutes = dict[str, float]()
    for signal in REGISTRY.signals:
        if signal.command and signal.command.is_change:
            run = signal.command.run
            assert minutes.setdefault(run, signal.remedy_minutes) == signal.remedy_minutes, signal.id


def test_declared_hours_of_a_remedy_have_a_source() -> None:
    """The comment above the first `remedy_hours` of a service names AWS's page."""
    for path in sorted(CATALOGUE_FOLDER.glob("*.yaml")):
        lines = path.read_text("utf-8").splitlines()
        remedy_lines = [number for number, line in enumerate(lines) if line.startswith("    remedy_hours:")]
        if remedy_lines:
            assert lines[remedy_lines[0] - 1].startswith(f"    # {AWS_DOCS}"), path.name


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        ("lambda.account_concurrency", 48 * 60),  # a quota: AWS decides
        ("kinesis.stream_write_bytes", 15),  # bought
        ("s3.prefix_write_rate", 7 * 24 * 60),  # another design
        ("elasticache.cpu", 15),  # a fixed limit of a node type: the command moves to another one
        ("sns.fifo_topic_rate", 15),
        ("sqs.fifo_message_rate_batched", 1),  # an attribute of the queue
        ("vpc.subnet_addresses", 7 * 24 * 60),  # the command only shows what uses the addresses
        ("dynamodb.table_read_partition", 7 * 24 * 60),  # the command only finds the hot keys
        ("sts.requests", 7 * 24 * 60),  # the command only finds the clients
        ("ecs.tasks_per_service", 7 * 24 * 60),  # the command creates a further service
        ("lambda.function_reserved_concurrency", 15),  # a quota that is a setting
        ("backup.plans", 48 * 60),  # the command only finds the quota
        ("quotas.count", 48 * 60),  # the command asks AWS
    ],
)
def test_the_time_of_a_remedy_follows_from_what_it_changes(name: str, minutes: float) -> None:
    assert round(REGISTRY.signal(*name.split(".")).remedy_minutes) == minutes


@pytest.mark.parametrize(
    ("name", "grows"),
    [
        ("kinesis.stream_write_bytes", True),
        ("lambda.account_concurrency", True),
        ("rds.cpu", True),
        ("sqs.standard_in_flight", True),
        ("autoscaling.group_max_size", True),
        ("dynamodb.tables", False),
        ("ebs.storage_gp3", False),
        ("ebs.iops_io2", False),  # usage is what was bought
        ("ebs.burst_balance", False),  # usage of a budget
        ("kafka.disk", False),
        ("vpn.connections", False),
        ("servicequotas.list_services", False),  # usage is calls of tools
    ],
)
def test_usage_grows_with_traffic_where_it_is_work(name: str, grows: bool) -> None:
    assert SIGNALS[name].is_load is grows


@each_service
def test_grows_with_traffic_is_declared_only_where_the_unit_says_otherwise(service: Service) -> None:
    redundant = [
        signal.id
        for signal in service.signals.values()
        if signal.grows_with_traffic is not None
        and signal.grows_with_traffic is (signal.unit.is_load and not signal.drains)
    ]
    assert redundant == []
