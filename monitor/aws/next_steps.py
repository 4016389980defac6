"""The next steps after a failed call, by its error code, its operation, the denying policy or its class."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass


@dataclass(frozen=True, slots=True)
class NextStep:
    """Instructions for a failure. command: a shell command that shows or removes its cause."""

    sentences: tuple[str, ...] = ()
    command: str = "headroom check"


CALLER_COMMAND = "aws sts get-caller-identity"
SSO_STEP = NextStep(
    ("Log in again with `aws sso login`, with the profile that Headroom uses; no restart is needed.",),
    "aws sso login",
)
LOGIN_STEP = NextStep(
    ("Log in again with `aws login`, with the profile that Headroom uses; no restart is needed.",),
    "aws login",
)
BY_CODE: Mapping[str, NextStep] = {  # codes of AWS and Headroom, and names of exceptions
    "NoCredentialsError": NextStep(
        (
            "Give Headroom credentials: a role of the machine or pod, a profile in AWS_PROFILE, or keys in "
            "the environment; `aws sts get-caller-identity` finds the same credentials.",
        ),
        CALLER_COMMAND,
    ),
    "PartialCredentialsError": NextStep(
        ("Set the key's id and its secret together; for a temporary key, set AWS_SESSION_TOKEN, too.",),
        CALLER_COMMAND,
    ),
    "CredentialRetrievalError": NextStep(
        (
            "Find out by hand why the source of the credentials fails: the `credential_process` or login of "
            "the profile, or the machine's role.",
        ),
        CALLER_COMMAND,
    ),
    "ProfileNotFound": NextStep(
        ("Name a profile that exists in AWS_PROFILE; `aws configure list-profiles` lists them.",),
        "aws configure list-profiles",
    ),
    "MissingRegionError": NextStep(
        ("Name a region in `regions` of the configuration, or in AWS_REGION.",),
        "export AWS_REGION=eu-west-1",
    ),
    "UnauthorizedSSOTokenError": SSO_STEP,
    "SSOTokenLoadError": SSO_STEP,
    "TokenRetrievalError": SSO_STEP,
    "LoginRefreshRequired": LOGIN_STEP,
    "LoginTokenLoadError": LOGIN_STEP,
    "AWSOrganizationsNotInUseException": NextStep(
        ("The account has no organization: list the accounts under `accounts`, each with its role.",),
        "aws organizations describe-organization",
    ),
    "TooManyAccounts": NextStep(
        ("Raise `max_accounts`, or select accounts by `organizational_units`, `include` or `exclude`.",),
        "aws organizations list-accounts",
    ),
}
ASSUME_STEP = NextStep(
    (
        "Let the role's trust policy name the caller in AWS's message, with the configured external id, and "
        "let the caller's own policies allow sts:AssumeRole on the role.",
    ),
    CALLER_COMMAND,
)
LISTING_STEP = NextStep(
    (
        "Allow `organizations:ListAccounts` in the management account, or in a delegated administrator: run "
        "Headroom there, or name a role of it as `management_role`. `headroom iam-policy` prints the policy.",
    ),
    "aws organizations list-accounts",
)
LISTING_OPERATIONS = frozenset({"ListAccounts", "ListAccountsForParent", "ListOrganizationalUnitsForParent"})
EXCLUDE_SENTENCE = (
    "List regions and services that need no monitoring under `exclude`: Headroom does not call them."
)
POLICY_COMMAND = "headroom iam-policy > policy.json"
# Keys: the kind of policy in AWS's sentence on a denied call.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
BY_POLICY: Mapping[str, NextStep] = {
    "permissions boundary": NextStep(
        ("Allow the missing actions in the permissions boundary of the role, too.", EXCLUDE_SENTENCE),
        POLICY_COMMAND,
    ),
    "VPC endpoint policy": NextStep(
        (
            "Allow the missing actions in the policy of the VPC endpoint that Headroom calls AWS through.",
            EXCLUDE_SENTENCE,
        ),
        POLICY_COMMAND,
    ),
    "session policy": NextStep(
        ("Allow the missing actions in the policy of the session, too.", EXCLUDE_SENTENCE), POLICY_COMMAND
    ),
    "explicit deny in an identity-based policy": NextStep(
        (
            "Remove the denial of these actions from the policies of the role: no other policy outranks it.",
            EXCLUDE_SENTENCE,
        ),
        POLICY_COMMAND,
    ),
}
BY_CLASS: Mapping[str, NextStep] = {
    FailureClass.DENIED: NextStep(
        (
            "Allow the missing actions: `headroom iam-policy` prints a policy. A permissions boundary "
            "applies as well.",
            EXCLUDE_SENTENCE,
        ),
        POLICY_COMMAND,
    ),
    FailureClass.ORGANIZATION: NextStep(
        (
            "No policy of the account can allow the call: ask the administrators of the organization, or "
            "list the regions or services under `exclude`, so that Headroom does not call them.",
        )
    ),
    FailureClass.EXPIRED: NextStep(
        ("Renew the credentials, or give Headroom a role, whose credentials are renewed automatically.",),
        CALLER_COMMAND,
    ),
    FailureClass.CREDENTIALS: NextStep(
        ("Give Headroom valid credentials. `aws sts get-caller-identity` checks a shell's credentials.",),
        CALLER_COMMAND,
    ),
    FailureClass.THROTTLED: NextStep(
        ("Find out what else in the account calls these operations, or lengthen the intervals.",)
    ),
    FailureClass.UNREACHABLE: NextStep(
        ("Check that Headroom reaches the endpoints of AWS: DNS, proxy, firewall, VPC endpoints.",)
    ),
    FailureClass.CLOCK: NextStep(
        ("Synchronize the clock by NTP: AWS refuses requests that are signed more than five minutes off.",)
    ),
    FailureClass.DISABLED: NextStep(("Enable the region in the account, or leave it out of `regions`.",)),
}


def next_step(failure: Failure) -> NextStep:
    """Return what to do about a failure; only the command `headroom check` if its cause is unknown."""
    if failure.code in BY_CODE:
        return BY_CODE[failure.code]
    failure_class = failure.failure_class
    if failure.operation == "AssumeRole" and failure_class is FailureClass.DENIED:
        return ASSUME_STEP
    if failure.operation in LISTING_OPERATIONS and failure_class is FailureClass.DENIED:
        return LISTING_STEP
    if failure_class is FailureClass.DENIED:
        kind_of_policy = next((policy for policy in BY_POLICY if policy in failure.message), "")
        return BY_POLICY.get(kind_of_policy, BY_CLASS[failure_class])
    return BY_CLASS.get(failure_class, NextStep())
