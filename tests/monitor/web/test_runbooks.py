"""The runbooks as pages: the runbook of each alert has a heading for it, and all texts are escaped."""

from dataclasses import replace

import httpx
import pytest

from collectors.registry import Registry, build_registry
from monitor.alerting.links import Links, runbook_of, runbook_of_alert
from monitor.lib.anchors import BLIND_HEADING, OWN_RUNBOOK, runbook_path
from monitor.runbooks.health import health_alerts
from monitor.runbooks.runbooks import find_runbook
from monitor.server.web_app import create_app
from rules.signals import Service
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import Page, page
from tests.own_services import own_collector
from tests.registries import REGISTRY

MARKUP = "<script>alert(1)</script>"
ENTRY = {
    "service": "one",
    "title": f"One {MARKUP}",
    "family": "storage",
    "signals": {
        "calls": {
            "title": f"Calls {MARKUP}",
            "unit": "calls/s",
            "kind": "fixed",
            "why": f"It fails. {MARKUP}",
            "saturation": "Callers see `429`.",
            "remedy": [f"Ask [us](javascript:alert(1)) {MARKUP}"],
            "docs": ["https://docs.aws.amazon.com/one/limits.html"],
        }
    },
}


def section_ids(found: Page) -> set[str]:
    return {section["id"] or "" for section in found.all("section") if "id" in section}


async def test_every_signal_and_every_alert_about_headroom_has_a_heading(client: httpx.AsyncClient) -> None:
    anchors_by_runbook = {
        service.service: {runbook_of(service.service, name).partition("#")[2] for name in service.signals}
        for service in REGISTRY.services.values()
    }
    anchors_by_runbook[OWN_RUNBOOK] = {
        runbook_path(OWN_RUNBOOK, name).partition("#")[2]
        for name in (BLIND_HEADING, *(alert.name for alert in health_alerts()))
    }
    for name, anchors in anchors_by_runbook.items():
        assert anchors <= section_ids(await page(client, f"/runbooks/{name}")), name


def test_the_link_of_an_alert_leads_to_the_heading_of_its_signal() -> None:
    for service in REGISTRY.services.values():
        for signal in service.signals.values():
            path = runbook_of_alert(notice(service=service.service, signal=signal.name))
            assert path == runbook_path(service.service, signal.id)


def test_a_configured_runbook_replaces_the_built_in_runbook() -> None:
    url = "https://wiki.example.org/kinesis"
    assert runbook_of_alert(notice(links={"runbook": url})) == url
    blind = notice(labels={"signal": "blind", "account": "123456789012"}, subject=None, zone="blind")
    assert runbook_of_alert(blind) == "/runbooks/headroom#headroomblind"
    assert Links(headroom="https://h.example.org/").for_blind_spots() == {
        "page": "https://h.example.org/blind",
        "runbook": "https://h.example.org/runbooks/headroom#headroomblind",
    }
    assert Links().for_blind_spots() == {}


async def test_the_list_links_to_every_runbook(client: httpx.AsyncClient) -> None:
    found = await page(client, "/runbooks")
    linked_runbooks = [link for link in found.links if link.startswith("/runbooks/")]
    assert {*linked_runbooks} == {runbook_path(name) for name in (OWN_RUNBOOK, *REGISTRY.services)}
    assert linked_runbooks[0] == "/runbooks/headroom"


async def test_the_name_of_a_markdown_file_redirects_to_the_page(client: httpx.AsyncClient) -> None:
    got = await client.get("/runbooks/kinesis.md")
    assert (got.status_code, got.headers["location"]) == (308, "/runbooks/kinesis")
    got = await client.get("/runbooks/%2f%2fevil.example.md")
    assert got.status_code in (308, 404) and not got.headers.get("location", "/r").startswith("//")


@pytest.mark.parametrize("name", ["nosuch", "%2E%2E", "x" * 2000, "%3Cscript%3E", "headroom.html"])
async def test_a_runbook_that_does_not_exist_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    got = await client.get(f"/runbooks/{name}")
    assert got.status_code == 404
    assert "<script>" not in got.text


@pytest.fixture
def registry() -> Registry:
    """Return a registry of a service with markup in its texts."""
    return build_registry([own_collector("one")], [Service.model_validate(ENTRY)])


async def test_texts_of_a_users_catalogue_are_escaped(server: Server, registry: Registry) -> None:
    app = create_app(replace(server.state, registry=registry))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://headroom") as client:
        text = (await client.get("/runbooks/one")).text
        list_text = (await client.get("/runbooks")).text
    assert MARKUP not in text + list_text
    assert "&lt;script&gt;" in text and "<code>429</code>" in text
    assert not [link for link in Page(text).links if link.startswith("javascript")]


def test_the_runbook_of_an_unknown_service_does_not_exist() -> None:
    assert find_runbook(REGISTRY, "nosuch") is None
