"""Paths into responses: the types of their results by botocore's models, and the paths that are refused."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from botocore.model import ListShape, Shape
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.expression import ExpressionError
from collectors.response_path import MAX_LENGTH, ResponsePath, response_path
from collectors.response_types import FieldsType, ListType, PathError, ScalarType, Type, item_of, type_of
from tests.fake_aws import SERVICE_MODELS

TABLE = "dynamodb.DescribeTable"


def output_shape(operation: str) -> Shape:
    """Return the shape of the response of an operation. operation: `client.Operation`."""
    client, _, name = operation.partition(".")
    shape = SERVICE_MODELS.get_service_model(client).operation_model(name).output_shape
    assert shape
    return shape


def type_text(type_: Type) -> Any:
    """Return a type as the tables below write it: its name, or lists and dictionaries of names."""
    match type_:
        case ListType():
            return [type_text(type_.item)]
        case FieldsType():
            return {name: type_text(field) for name, field in type_.fields.items()}
        case ScalarType():
            return type_.name
        case ListShape():
            return [type_text(type_.member)]
        case Shape():
            return type_.type_name
    return "any"


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        (TABLE, "Table.TableName", "string"),
        (TABLE, '"Table"."TableName"', "string"),
        (TABLE, "@.Table | TableName", "string"),
        (TABLE, "Table.CreationDateTime", "timestamp"),
        (TABLE, "Table.ProvisionedThroughput.ReadCapacityUnits", "long"),
        (TABLE, "Table.GlobalSecondaryIndexes", ["structure"]),
        (TABLE, "Table.GlobalSecondaryIndexes[0].IndexName", "string"),
        (TABLE, "Table.GlobalSecondaryIndexes[-1].KeySchema", ["structure"]),
        (TABLE, "Table.GlobalSecondaryIndexes[:2].IndexName", ["string"]),
        (TABLE, "Table.GlobalSecondaryIndexes[*].IndexName", ["string"]),
        (TABLE, "Table.GlobalSecondaryIndexes[].KeySchema", [["structure"]]),
        (TABLE, "Table.GlobalSecondaryIndexes[].KeySchema[]", ["structure"]),
        (TABLE, "Table.GlobalSecondaryIndexes[].KeySchema[].KeyType", ["string"]),
        (TABLE, "Table.GlobalSecondaryIndexes[?IndexName == 'x'].Backfilling", ["boolean"]),
        (TABLE, "Table.GlobalSecondaryIndexes[?IndexName] | [0].IndexName", "string"),
        (TABLE, "length(Table.GlobalSecondaryIndexes)", "number"),
        (
            TABLE,
            "Table.GlobalSecondaryIndexes[].{name: IndexName, units: ProvisionedThroughput}",
            [{"name": "string", "units": "structure"}],
        ),
        (
            TABLE,
            "Table.GlobalSecondaryIndexes[].{name: IndexName, units: ProvisionedThroughput} | "
            "[0].units.ReadCapacityUnits",
            "long",
        ),
        (TABLE, "Table.[TableName, TableArn]", ["any"]),
        (TABLE, "Table.BillingModeSummary.BillingMode == 'PAY_PER_REQUEST'", "boolean"),
        (TABLE, "Table.TableName || Table.ItemCount", "string"),
        (TABLE, "Table.TableName && Table.TableSizeBytes", "long"),
        (TABLE, "!(Table.DeletionProtectionEnabled)", "boolean"),
        (TABLE, "`[1]`[0].anything", "any"),
        (TABLE, "not_null(Table.OnDemandThroughput, `{}`).Anything", "any"),
        (TABLE, "map(&IndexName, Table.GlobalSecondaryIndexes)", ["string"]),
        (TABLE, "sort_by(Table.GlobalSecondaryIndexes, &IndexName)[].ItemCount", ["long"]),
        (TABLE, "max_by(Table.GlobalSecondaryIndexes, &ItemCount).IndexName", "string"),
        (TABLE, "reverse(Table.GlobalSecondaryIndexes)[0].IndexName", "string"),
        (TABLE, "max(Table.GlobalSecondaryIndexes[].ItemCount)", "long"),
        (TABLE, "sum(Table.GlobalSecondaryIndexes[].ItemCount)", "number"),
        (TABLE, "after_last(Table.TableArn, '/')", "string"),
        (TABLE, "before(after(Table.TableArn, ':'), ':')", "string"),
        (TABLE, "join(', ', Table.GlobalSecondaryIndexes[].IndexName)", "string"),
        ("dynamodb.GetItem", "Item.anything.S", "string"),
        ("dynamodb.GetItem", "Item.*.N", ["string"]),
        ("dynamodb.GetItem", "Item.a.L[0].M.b.S", "string"),  # AttributeValue contains itself
        ("sqs.GetQueueAttributes", "Attributes.DelaySeconds", "string"),
        ("sqs.GetQueueAttributes", "Attributes.*", ["string"]),
        ("sqs.GetQueueAttributes", "keys(Attributes)", "any"),
        ("sqs.GetQueueAttributes", "to_number(Attributes.DelaySeconds)", "number"),
        ("sqs.ListQueues", "QueueUrls", ["string"]),
        ("sqs.ListQueues", "QueueUrls[].after_last(@, '/')", ["string"]),
        ("elbv2.DescribeLoadBalancers", "LoadBalancers[].AvailabilityZones[].ZoneName", ["string"]),
        ("elbv2.DescribeRules", "length(Rules[?IsDefault == `false`])", "number"),
        ("ec2.DescribeInstances", "Reservations[].Instances[].Tags[?Key == 'a'].Value[]", ["string"]),
        ("ec2.DescribeInstances", "Reservations[*].Instances[*].State.Name", [["string"]]),
        # A member of botocore's type `document` holds any JSON.
        ("bedrock-runtime.Converse", "additionalModelResponseFields.any.thing[0].x", "any"),
        ("bedrock-runtime.Converse", "length(additionalModelResponseFields)", "number"),
        ("bedrock-runtime.Converse", "additionalModelResponseFields[].x", ["any"]),
    ],
)
def test_the_result_of_a_path_has_the_expected_type(operation: str, path: str, expected: Any) -> None:
    assert type_text(type_of(ResponsePath(path).parsed, output_shape(operation))) == expected


@pytest.mark.parametrize(
    ("operation", "path", "reason"),
    [
        (
            "dynamodb.ListTables",
            "TableName",
            "ListTablesOutput (structure) has no field TableName; did you mean TableNames?",
        ),
        ("dynamodb.ListTables", "tables", "no field tables"),
        (
            TABLE,
            "Table.ProvisionedThroughput.ReadCapacityUnit",
            "no field ReadCapacityUnit; did you mean ReadCapacityUnits?",
        ),
        (TABLE, "Table.TableName.Length", "expected an object with the field Length, found"),
        (TABLE, "Table[0]", "expected a list, found TableDescription (structure)"),
        (TABLE, "Table[]", "expected a list, found TableDescription (structure)"),
        (TABLE, "Table[:1]", "expected a list, found TableDescription (structure)"),
        (TABLE, "Table.ItemCount[]", "expected a list, found LongObject (long)"),
        (TABLE, "Table.ItemCount[?x]", "expected a list"),
        (TABLE, "Table.GlobalSecondaryIndexes.IndexName", "with the field IndexName, found"),
        (TABLE, "Table.GlobalSecondaryIndexes.*", "expected an object, found"),
        (TABLE, "Table.TableName.*", "expected an object, found TableName (string)"),
        (TABLE, "Table.GlobalSecondaryIndexes[].Name", "did you mean IndexName?"),
        (TABLE, "Table.GlobalSecondaryIndexes[0].Name", "did you mean IndexName?"),
        (TABLE, "Table.GlobalSecondaryIndexes[*].KeySchema.KeyType", "found KeySchema (list)"),
        (TABLE, "Table.GlobalSecondaryIndexes[?IndxName == 'x']", "did you mean IndexName?"),
        (TABLE, "Table.GlobalSecondaryIndexes[] | IndexName", "found a list"),
        (TABLE, "Table.{name: TablName}", "did you mean TableName?"),
        (TABLE, "Table.{name: TableName}.nam", "an object has no field nam; did you mean name?"),
        (TABLE, "Table.{name: TableName}[0]", "expected a list, found an object"),
        (TABLE, "Table.[TableName, TablArn]", "did you mean TableArn?"),
        (TABLE, "Table.TablName == 'x'", "did you mean TableName?"),
        (TABLE, "'x' == Table.TablName", "did you mean TableName?"),
        (TABLE, "!(Table.TablName)", "did you mean TableName?"),
        # JMESPath parses this as the field TableName of `!Table`, which does not exist.
        (TABLE, "!Table.TableName", "expected an object with the field TableName, found a boolean"),
        (
            TABLE,
            "length(Table.GlobalSecondaryIndexes).x",
            "expected an object with the field x, found a number",
        ),
        (TABLE, "starts_with(length(Table.TableName), 'x')", "expected string in starts_with, found number"),
        (TABLE, "Table.TableName || Table.TablArn", "did you mean TableArn?"),
        (TABLE, "Table.TablName && Table.TableArn", "did you mean TableName?"),
        (TABLE, "length(Table.GlobalSecondaryIndex)", "did you mean GlobalSecondaryIndexes?"),
        (TABLE, "length(Table.ItemCount)", "expected array or object or string in length"),
        (TABLE, "after(Table, 'x')", "expected string in after, found object"),
        (TABLE, "starts_with(Table.ItemCount, 'x')", "expected string in starts_with"),
        (TABLE, "sum(Table.ItemCount)", "expected array in sum, found number"),
        (TABLE, "keys(Table.GlobalSecondaryIndexes)", "expected object in keys, found array"),
        (TABLE, "ceil(Table.TableName)", "expected number in ceil, found string"),
        (TABLE, "map(&Name, Table.GlobalSecondaryIndexes)", "did you mean IndexName?"),
        (TABLE, "sort_by(Table.GlobalSecondaryIndexes, &Name)", "did you mean IndexName?"),
        (TABLE, "max_by(Table.GlobalSecondaryIndexes, &ItemCount).Name", "IndexName?"),
        ("sqs.GetQueueAttributes", "Attributes.DelaySeconds.x", "expected an object with the field x, found"),
        ("sqs.ListQueues", "QueueUrls[].Url", "expected an object with the field Url, found"),
        ("ec2.DescribeInstances", "Reservations[].Instances[].Tag[].Key", "no field Tag; did you mean Tags?"),
    ],
)
def test_a_path_that_finds_nothing_in_any_response_is_refused(operation: str, path: str, reason: str) -> None:
    with pytest.raises(PathError) as error:
        type_of(ResponsePath(path).parsed, output_shape(operation))
    assert reason in str(error.value)


def test_the_items_of_a_list_have_a_type_and_other_types_have_no_items() -> None:
    tables = type_of(ResponsePath("TableNames").parsed, output_shape("dynamodb.ListTables"))
    assert type_text(item_of(tables)) == "string"
    assert item_of(None) is None
    for path in ("Table", "Table.TableName", "Table.{name: TableName}"):
        with pytest.raises(PathError, match="expected a list"):
            item_of(type_of(ResponsePath(path).parsed, output_shape(TABLE)))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "expected a JMESPath"),
        ("a.", "expected a JMESPath"),
        ("a b", "expected a JMESPath"),
        ("[?a ==]", "expected a JMESPath"),
        ("é", "expected a JMESPath"),
        ("'open", "expected a JMESPath"),
        ("`{`}`", "expected a JMESPath"),
        ("lenght(a)", "no function lenght; did you mean length?"),
        ("a[?start_with(b, 'c')]", "no function start_with; did you mean starts_with?"),
        ("map(&lenght(a), b)", "did you mean length?"),
        ("{a: after_lst(b, '/')}", "did you mean after_last?"),
        ("length(a, b)", "expected 1 arguments of length, found 2"),
        ("after(a)", "expected 2 arguments of after, found 1"),
        ("not_null()", "expected"),
        ("a[::0]", "step of a slice that is not 0"),
        ("!" * 900 + "a", "at most 60 levels"),
        ("a" * (MAX_LENGTH + 1), "at most 1,000 characters"),
    ],
)
def test_a_text_that_is_no_path_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ValueError) as error:
        response_path(path)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("after(@, ':')", "a:b:c", "b:c"),
        ("after_last(@, ':')", "a:b:c", "c"),
        ("before(@, ':')", "a:b:c", "a"),
        ("after(@, '/')", "a:b", None),
        ("after_last(@, '/')", "a:b", None),
        ("before(@, '/')", "a:b", None),
        ("after(@, ':')", ":", ""),
        ("not_null(a, `[]`)", {}, []),
        ("`plain`", {}, "plain"),
        ("a.b", {"a": 5}, None),
    ],
)
def test_a_path_has_the_expected_result(path: str, value: Any, expected: Any) -> None:
    assert ResponsePath(path).search(value) == expected


def test_a_function_of_a_value_of_a_wrong_type_is_an_error() -> None:
    with pytest.raises(ExpressionError):
        ResponsePath("length(a)").search({})


WORDS = """
( ) [ ] { } . , : | || && ! < == 'a' `1` `{}` `x` * & @ [*] [] [? [0] [::-1] [:: 0 -1 a Table TableName
length( sort_by( map( max( sum( after( not_null( to_number(
"""
tokens = st.sampled_from([*WORDS.split(), "Table.GlobalSecondaryIndexes", " ", '"', "\\", "\0", "é"])
texts = st.one_of(st.text(max_size=40), st.lists(tokens, max_size=12).map("".join))
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "Table"]), inner),
    max_leaves=8,
)


@given(texts, json)
@example("`\ud800`", {})
@example('"\\ud800"', {})
@example("(" * 999, {})
def test_any_text_is_a_path_or_refused(text: str, value: Mapping[str, Any]) -> None:
    try:
        path = response_path(text)
    except ValueError:
        return
    with suppress(PathError):
        type_of(path.parsed, output_shape(TABLE))
    with suppress(ExpressionError):
        path.search(value)
