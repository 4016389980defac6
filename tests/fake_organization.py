"""An AWS on loopback with an organization. It lists the accounts; each has a role and an SNS topic."""

import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from botocore.validate import validate_parameters

from tests.fake_aws import SERVICE_MODELS
from tests.http_endpoint import serve_http

OWN_ACCOUNT = "100000000000"
PAGE_SIZE = 20
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
MODEL: Any = SERVICE_MODELS.get_service_model("organizations")


def account_item(account_id: str, name: str, state: str = "ACTIVE") -> dict[str, Any]:
    """Return an account as AWS lists it: with `State`, and without the former `Status`."""
    return {"Id": account_id, "Name": name, "State": state, "Email": f"root-{account_id}@example.org"}


class FakeOrganization:
    """Lists `accounts`. Answers other requests for the account to which their credentials belong.

    Credentials of a role belong to the account of the role, all others to OWN_ACCOUNT.

    failure: the error code of all responses of Organizations; empty for none. closed_accounts: accounts that
    deny every call. roles: the roles that were assumed, each with the caller's access key. list_count: how
    many lists were read to their end. tags: by account. tag_denied_accounts: accounts whose tags AWS refuses
    to list. tag_calls: the accounts whose tags were requested. read_accounts: accounts whose metrics were
    requested.
    """

    def __init__(self, *accounts: dict[str, Any]) -> None:
        self.url, self.failure = "", ""
        self.accounts = list(accounts)
        self.closed_accounts: set[str] = set()
        self.roles: list[tuple[str, str]] = []
        self.list_count = 0
        self.tags: dict[str, dict[str, str]] = {}
        self.tag_denied_accounts: set[str] = set()
        self.tag_calls: list[str] = []
        self.read_accounts: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def serving(cls, *accounts: dict[str, Any]) -> AsyncIterator["FakeOrganization"]:
        """Serve until the context exits."""
        aws = cls(*accounts)
        async with serve_http(aws.handle) as port:
            aws.url = f"http://127.0.0.1:{port}"
            yield aws

    def change(self, account_id: str, **members: Any) -> None:
        """Change members of an account, such as its `State`."""
        for account in self.accounts:
            if account["Id"] == account_id:
                account.update(members)

    async def handle(self, request: web.Request) -> web.Response:
        match = CREDENTIAL.search(request.headers["Authorization"])
        assert match
        key, _, service = match.groups()
        account = key.removeprefix("ASIA") if key.startswith("ASIA") else OWN_ACCOUNT
        body = await request.read()
        if service == "organizations":
            operation = request.headers["X-Amz-Target"].partition(".")[2]
            return self._organizations(operation, json.loads(body), account)
        if account in self.closed_accounts and service != "sts":
            return denied_query(f"the account {account} is closed")
        if service == "monitoring":
            self.read_accounts.add(account)
            return web.json_response(points(json.loads(body)))
        if service == "servicequotas":
            return web.json_response({"Quotas": [], "RequestedQuotas": [], "Quota": {"Value": 500.0}})
        return self._query(
            {name: values[0] for name, values in parse_qs(body.decode()).items()}, account, key
        )

    def _organizations(self, operation: str, params: Mapping[str, Any], account: str) -> web.Response:
        validate_parameters(params, MODEL.operation_model(operation).input_shape)
        if self.failure:
            error = {"__type": self.failure, "Message": f"{self.failure} of {operation} in {account}"}
            return web.json_response(error, status=400)
        if operation == "ListTagsForResource":
            return self._list_tags(params["ResourceId"])
        start = int(params.get("NextToken", "0"))
        page: dict[str, Any] = {"Accounts": self.accounts[start : start + PAGE_SIZE]}
        if start + PAGE_SIZE < len(self.accounts):
            page["NextToken"] = str(start + PAGE_SIZE)
        else:
            self.list_count += 1
        validate_parameters(page, MODEL.operation_model(operation).output_shape)
        return web.json_response(page)

    def _list_tags(self, account: str) -> web.Response:
        self.tag_calls.append(account)
        if account in self.tag_denied_accounts:
            return web.json_response({"__type": "AccessDeniedException", "Message": "no"}, status=400)
        page = {"Tags": [{"Key": key, "Value": value} for key, value in self.tags.get(account, {}).items()]}
        validate_parameters(page, MODEL.operation_model("ListTagsForResource").output_shape)
        return web.json_response(page)

    def _query(self, params: Mapping[str, str], account: str, key: str) -> web.Response:
        if params["Action"] == "AssumeRole":
            self.roles.append((params["RoleArn"], key))
            role_account = params["RoleArn"].split(":")[4]
            if role_account in self.closed_accounts:
                return denied_query(f"sts:AssumeRole in {role_account} is not allowed")
            return answer("AssumeRole", ASSUMED.format(account=role_account))
        if params["Action"] == "GetCallerIdentity":
            return answer("GetCallerIdentity", f"<Account>{account}</Account>")
        topic = f"<member><TopicArn>arn:aws:sns:eu-west-1:{account}:orders</TopicArn></member>"
        return answer("ListTopics", f"<Topics>{topic}</Topics>")


ASSUMED = """<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"""


def answer(action: str, content: str) -> web.Response:
    """Return a response of the query protocol."""
    text = f"<{action}Response><{action}Result>{content}</{action}Result></{action}Response>"
    return web.Response(text=text, content_type="text/xml")


def denied_query(message: str) -> web.Response:
    """Return a denial in the query protocol. Clients of other protocols know the denial by its status."""
    text = (
        f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    return web.Response(status=403, text=text, content_type="text/xml")


def points(requested: Mapping[str, Any]) -> dict[str, Any]:
    """Return one point with the value 7 for each requested metric."""
    minute = int(time.time() // 60) * 60 - 300
    values = {"Timestamps": [minute], "Values": [7.0], "StatusCode": "Complete"}
    return {
        "MetricDataResults": [
            {"Id": query["Id"], "Label": "", **values} for query in requested["MetricDataQueries"]
        ]
    }
