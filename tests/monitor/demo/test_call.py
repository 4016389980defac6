"""Parsing requests: in several threads, of clients that sign alike, and with slashes in paths."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from monitor.demo.call import parse_call, with_encoded_slashes

THREADS, ROUNDS = 8, 20
SIGNED_HEADERS = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/lambda/aws4_request"}


@pytest.fixture
def fast_thread_switches() -> Iterator[None]:
    """Switch threads as often as possible."""
    default_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(default_interval)


@pytest.mark.usefixtures("fast_thread_switches")
def test_the_first_requests_of_a_service_may_be_parsed_concurrently() -> None:
    """moto's model of a service briefly caches operations of botocore (see `call.ROUTING_LOCK`)."""
    barrier = Barrier(THREADS)

    def parse_concurrently(_: int) -> tuple[str, str] | None:
        request = Request.from_primitives(
            "GET", "http://localhost/2015-03-31/functions/", SIGNED_HEADERS, b""
        )
        barrier.wait(10)
        call = parse_call(request)
        return call.name if call else None

    for _ in range(ROUNDS):
        get_service_router.cache_clear()
        get_service_model.cache_clear()
        get_service_model("lambda")  # a model without cached operations, which all threads share
        with ThreadPoolExecutor(THREADS) as pool:
            assert set(pool.map(parse_concurrently, range(THREADS))) == {("lambda", "ListFunctions")}


def test_clients_that_sign_alike_are_distinguished_by_the_version_of_their_api() -> None:
    authorization = SIGNED_HEADERS["Authorization"].replace("lambda", "elasticloadbalancing")
    headers = {"Authorization": authorization, "Content-Type": "application/x-www-form-urlencoded"}
    clients = {"elasticloadbalancing": ["elb", "elbv2"]}
    for version, client in (("2012-06-01", "elb"), ("2015-12-01", "elbv2")):
        body = f"Action=DescribeLoadBalancers&Version={version}".encode()
        call = parse_call(Request.from_primitives("POST", "http://localhost/", headers, body), clients)
        assert call and call.name == (client, "DescribeLoadBalancers")


def test_a_slash_within_a_parameter_in_the_path_does_not_end_the_parameter() -> None:
    headers = {"Authorization": SIGNED_HEADERS["Authorization"].replace("lambda", "kafka")}
    url = with_encoded_slashes("http://localhost/v1/clusters/arn%3Acluster%2Fmedia%2F1/nodes?maxResults=5")
    call = parse_call(Request.from_primitives("GET", url, headers, b""))
    assert call and call.name == ("kafka", "ListNodes")
    assert call.params() == {"ClusterArn": "arn:cluster/media/1", "MaxResults": 5}
