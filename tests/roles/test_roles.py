"""What each function's role may do to each kind of item, and what it may not: tried with the role's own credentials. And
which guards the template's parameters lift, and where.

Nothing is ever written: each item names an account that does not exist, and each write a condition that fails.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]

TENANT = "sandbox#acct_" + "0" * 26
KINDS = {
    "payment": f"{TENANT}#payment#p",
    "charge": f"{TENANT}#charge#stripe#ch_1",
    "refund": f"{TENANT}#refund#r",
    "account": TENANT,
    "endpoints": f"{TENANT}#endpoints",
    "events": f"{TENANT}#events",
    "reports": f"{TENANT}#reports",
    "audit": f"{TENANT}#audit",
    "key of 0.1": "key#key_" + "0" * 26,
    # In the table of credentials.
    "key": "key#key_" + "0" * 26,
    "processor keys": f"{TENANT}#processor",
    # In the table of limits.
    "bucket of an account": TENANT,
    "bucket of a key": "key#key_" + "0" * 26,
}
TABLES = {
    "key": "CredentialsTable",
    "processor keys": "CredentialsTable",
    "bucket of an account": "LimitsTable",
    "bucket of a key": "LimitsTable",
}
READ, PUT, UPDATE, DELETE = "get", "put", "update", "delete"
ACTIONS = (READ, PUT, UPDATE, DELETE)
# Who reads the deployment's own secrets.
SECRETS = {
    "ApiKeyPepper": {"authorize", "issue-token", "admin"},
    "TokenSigningKey": {"authorize", "issue-token", "admin"},
    "TermsSealKey": {"register-payment", "process-refund", "reconcile", "admin"},
}

# Who is reached by callers counts their requests.
COUNTS = {"bucket of an account": {UPDATE}, "bucket of a key": {UPDATE}}
# What a function may do to a kind of item; whatever is not here must be refused.
MAY: dict[str, dict[str, set[str]]] = {
    "authorize": {"key": {READ, PUT, UPDATE}, "key of 0.1": {READ}},
    "issue-token": {"key": {READ, PUT, UPDATE}, "key of 0.1": {READ}},
    "register-payment": {"payment": {READ, PUT, UPDATE}, "charge": {PUT}, "refund": {READ}, **COUNTS},
    "create-refund": {"payment": {READ, UPDATE}, "refund": {READ, PUT}, **COUNTS},
    "read-books": {"payment": {READ}, "refund": {READ}, "reports": {READ}, **COUNTS},
    "update-refund": {"payment": {READ, UPDATE}, "refund": {READ, UPDATE}, **COUNTS},
    "manage-webhooks": {
        "refund": {READ},
        "account": {READ, UPDATE},
        "endpoints": {READ, PUT, UPDATE, DELETE},
        "events": {READ, PUT, UPDATE, DELETE},
        **COUNTS,
    },
    "relay-events": {"endpoints": {READ}, "events": {PUT}},
    "process-refund": {
        "payment": {READ, UPDATE},
        "charge": {PUT},
        "refund": {READ, UPDATE},
        "processor keys": {READ},
    },
    "settle-refund": {
        "payment": {READ, UPDATE},
        "charge": {READ, PUT},
        "refund": {READ, PUT, UPDATE},
        "processor keys": {READ},
        "account": {READ},
    },
    "dispatch-webhook": {
        "refund": {READ},
        "account": {READ},
        "endpoints": {READ, UPDATE},
        "events": {READ, PUT, UPDATE},
    },
    "release-due": {"payment": {UPDATE}, "refund": {UPDATE}, "events": {UPDATE}},
    "reconcile": {
        "payment": {READ, UPDATE},
        "charge": {PUT},
        "refund": {READ, PUT, UPDATE},
        "account": {READ},
        "endpoints": {READ},
        "events": {READ, PUT, UPDATE},
        "reports": {READ, PUT},
        "audit": {READ, PUT},
        "processor keys": {READ},
    },
    "admin": {
        "payment": {READ, UPDATE},
        "charge": {PUT},
        "refund": {READ, UPDATE},
        "account": {READ, PUT, UPDATE},
        "endpoints": {UPDATE},
        "reports": {READ},
        "key of 0.1": {READ},
        "key": {READ, PUT, UPDATE},
        "processor keys": {PUT, DELETE},
    },
}


def _stack() -> str:
    return os.environ["RECOUP_ADMIN_FUNCTION"].removesuffix("-admin")


@pytest.fixture(scope="module")
def resources() -> dict[str, str]:
    """The physical ids of the stack's resources."""
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=_stack())
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def _as(role: str) -> boto3.Session:
    """A session with a role's own credentials. The role is for Lambda alone, so it is lent to this test for a moment."""
    iam = boto3.client("iam")
    trusted = iam.get_role(RoleName=role)["Role"]
    lent = json.loads(json.dumps(trusted["AssumeRolePolicyDocument"]))
    me = boto3.client("sts").get_caller_identity()["Arn"]
    lent["Statement"].append({"Effect": "Allow", "Principal": {"AWS": me}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(lent))
    try:
        assumed = boto3.client("sts").assume_role(RoleArn=trusted["Arn"], RoleSessionName="test")["Credentials"]
    finally:
        before = json.dumps(trusted["AssumeRolePolicyDocument"])
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=before)
    return boto3.Session(
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )


def _refused(call, **arguments: object) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in {"AccessDeniedException", "AccessDenied", "ConditionalCheckFailedException"}, error
        return code.startswith("AccessDenied")
    return False


def _tries(dynamodb, table: str, pk: str) -> dict[str, bool]:
    """Which actions on this item are allowed."""
    key = {"pk": {"S": pk}, "sk": {"S": "nothing"}}
    of_table = {"TableName": table}
    exists = {**of_table, "ConditionExpression": "attribute_exists(pk)"}
    change = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    of_partition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": pk}}}
    reads = (
        not _refused(dynamodb.get_item, **of_table, Key=key),
        not _refused(dynamodb.batch_get_item, RequestItems={table: {"Keys": [key]}}),
        not _refused(dynamodb.query, **of_table, **of_partition),
    )
    return {
        READ: any(reads),
        PUT: not _refused(dynamodb.put_item, **exists, Item=key),
        UPDATE: not _refused(dynamodb.update_item, **exists, **change, Key=key),
        DELETE: not _refused(dynamodb.delete_item, **exists, Key=key),
    }


def test_every_function_has_its_line_here(resources: dict[str, str]) -> None:
    named = {physical for logical, physical in resources.items() if logical.endswith("Function")}
    assert named == {f"{_stack()}-{function}" for function in MAY}


@pytest.mark.parametrize("function", MAY)
def test_a_role_touches_only_the_kinds_of_items_that_are_its_own(function: str, resources: dict[str, str]) -> None:
    logical = "".join(part.capitalize() for part in function.split("-"))
    dynamodb = _as(resources[f"{logical}Role"]).client("dynamodb")
    tables = {kind: resources[TABLES.get(kind, "Table")] for kind in KINDS}
    found = {kind: _tries(dynamodb, tables[kind], pk) for kind, pk in KINDS.items()}
    expected = {kind: {action: action in MAY[function].get(kind, set()) for action in ACTIONS} for kind in KINDS}
    assert found == expected


@pytest.mark.parametrize("function", MAY)
def test_a_part_of_a_transaction_is_judged_like_any_write(function: str, resources: dict[str, str]) -> None:
    logical = "".join(part.capitalize() for part in function.split("-"))
    dynamodb = _as(resources[f"{logical}Role"]).client("dynamodb")
    for kind in ("key of 0.1", "payment", "refund"):
        put = {"TableName": resources["Table"], "Item": {"pk": {"S": KINDS[kind]}, "sk": {"S": "nothing"}}}
        put["ConditionExpression"] = "attribute_exists(pk)"
        with pytest.raises(ClientError) as error:
            dynamodb.transact_write_items(TransactItems=[{"Put": put}])
        allowed = error.value.response["Error"]["Code"] == "TransactionCanceledException"
        assert allowed == (PUT in MAY[function].get(kind, set())), (kind, error.value)


@pytest.mark.parametrize("function", MAY)
def test_only_who_judges_credentials_reads_the_deployments_secrets(function: str, resources: dict[str, str]) -> None:
    logical = "".join(part.capitalize() for part in function.split("-"))
    secrets = _as(resources[f"{logical}Role"]).client("secretsmanager")
    for secret, readers in SECRETS.items():
        refused = _refused(secrets.get_secret_value, SecretId=resources[secret])
        assert refused == (function not in readers), secret


# Who may ask the key that seals secrets to seal, and who to open.
SEALS = {"manage-webhooks", "admin"}
OPENS = {"dispatch-webhook", "process-refund", "settle-refund", "reconcile"}


@pytest.mark.parametrize("function", MAY)
def test_who_is_reached_by_callers_seals_secrets_and_opens_none(function: str, resources: dict[str, str]) -> None:
    logical = "".join(part.capitalize() for part in function.split("-"))
    kms = _as(resources[f"{logical}Role"]).client("kms")
    key = resources["SecretsKey"]
    sealed = boto3.client("kms").encrypt(KeyId=key, Plaintext=b"a secret")["CiphertextBlob"]
    seals = not _refused(kms.encrypt, KeyId=key, Plaintext=b"a secret")
    opens = not _refused(kms.decrypt, KeyId=key, CiphertextBlob=sealed)
    assert (seals, opens) == (function in SEALS, function in OPENS)


def test_no_functions_configuration_holds_a_secret(resources: dict[str, str]) -> None:
    secrets = boto3.client("secretsmanager")
    values = [secrets.get_secret_value(SecretId=resources[secret])["SecretString"] for secret in SECRETS]
    listed = json.dumps(boto3.client("lambda").list_functions()["Functions"], default=str)
    assert os.environ["RECOUP_ADMIN_FUNCTION"] in listed
    assert not [value for value in values if value in listed]


def _change_set(parameters: dict[str, str]) -> str:
    """What comes of a change set of the template's parameters and rules alone: `CREATE_COMPLETE`, or why it is refused."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    judged = {name: template[name] for name in ("Parameters", "Rules")}
    judged["Resources"] = {"Nothing": {"Type": "AWS::SNS::Topic"}}
    cloudformation = boto3.client("cloudformation")
    names = {"StackName": f"guards-{uuid.uuid4().hex}", "ChangeSetName": "judged"}
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    try:
        cloudformation.create_change_set(
            **names, ChangeSetType="CREATE", TemplateBody=json.dumps(judged), Parameters=given
        )
    except ClientError as error:
        return error.response["Error"]["Message"]
    try:
        described = cloudformation.describe_change_set(**names)
        return described["Status"] if described["Status"] == "CREATE_COMPLETE" else described["StatusReason"]
    finally:
        cloudformation.delete_stack(StackName=names["StackName"])


def test_what_lifts_a_guard_is_refused_beside_the_local_stack() -> None:
    private = {"AllowPrivateWebhookTargets": "true"}
    assert "for the local stack" in _change_set(private)
    assert "LocalGatewayUrl" in _change_set({**private, "LocalGatewayUrl": "https://api.example.com/x"})
    local = {**private, "LocalGatewayUrl": "http://127.0.0.1:4566/_aws/execute-api"}
    assert _change_set(local) == "CREATE_COMPLETE"
    assert _change_set({}) == "CREATE_COMPLETE"
