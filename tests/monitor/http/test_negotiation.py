"""The format and encoding that are chosen by the Accept headers of a request."""

import pytest

from monitor.http.negotiation import (
    OPENMETRICS,
    PROMETHEUS_TEXT,
    ExpositionFormat,
    accepts_gzip,
    exposition_format,
)

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (PROTOBUF_FIRST, PROMETHEUS_TEXT),
        (BROWSER, PROMETHEUS_TEXT),
        ("", PROMETHEUS_TEXT),
        ("*/*", PROMETHEUS_TEXT),
        ("text/*", PROMETHEUS_TEXT),
        ("application/json", PROMETHEUS_TEXT),
        ("application/*", OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1", PROMETHEUS_TEXT),
        ("application/openmetrics-text, */*", OPENMETRICS),
        ("application/openmetrics-text, text/plain", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=0, */*", PROMETHEUS_TEXT),
        ("text/plain;q=0, */*", OPENMETRICS),
        ("application/openmetrics-text;q=high, text/plain;q=0.1", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=nan, text/plain;q=0.1", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=7, text/plain;q=0.1", PROMETHEUS_TEXT),
        (";;,=,q;q=", PROMETHEUS_TEXT),
    ],
)
def test_the_preferred_format_is_chosen(accept: str, expected: ExpositionFormat) -> None:
    assert exposition_format(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("gzip;q=0.5, identity", False),
        ("gzip, identity;q=0.5", True),
        ("", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_used_only_if_accepted_and_preferred(accept_encoding: str, accepted: bool) -> None:
    assert accepts_gzip(accept_encoding) is accepted
