"""The settings of the stream: access keys, sources, and the gap after which a metric is polled."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.schema.types import ConfigContext
from monitor.stream.settings import ACCESS_KEYS_VARIABLE, EXAMPLE, StreamConfig
from tests.monitor.stream.bodies import SOURCE


def stream_config(folder: Path, **settings: Any) -> StreamConfig:
    return StreamConfig.model_validate(settings, context=ConfigContext({}, folder))


def test_without_a_key_every_request_is_rejected() -> None:
    access = StreamConfig().access({})
    assert access.keys == ()
    assert not access.accepts_key("")


def test_keys_come_from_the_file_and_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("one\n\n  two \n")
    config = stream_config(tmp_path, access_keys_file="keys")
    assert config.access({ACCESS_KEYS_VARIABLE: "three, four,"}).keys == ("one", "two", "three", "four")
    assert "two" not in repr(config)


@pytest.mark.parametrize("file", ["absent", "empty", "binary", "long", 5])
def test_a_file_without_valid_keys_is_a_problem_that_does_not_show_the_content(
    tmp_path: Path, file: object
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("k" * 5000)
    with pytest.raises(ValidationError, match="an access key a line") as raised:
        stream_config(tmp_path, access_keys_file=file)
    assert "kkk" not in str(raised.value)


def test_a_source_is_an_account_or_a_delivery_stream(tmp_path: Path) -> None:
    config = stream_config(tmp_path, sources=["123456789012", SOURCE])
    assert config.access({}).accepts_source(SOURCE)
    for wrong in ("12345", "arn:aws:sqs:eu-west-1:123456789012:queue"):
        with pytest.raises(ValidationError, match="delivery stream"):
            stream_config(tmp_path, sources=[wrong])


@pytest.mark.parametrize(("duration", "minutes"), [("5m", 5), (90, 1), ("1h", 60)])
def test_poll_after_is_converted_to_whole_minutes(tmp_path: Path, duration: object, minutes: int) -> None:
    assert stream_config(tmp_path, poll_after=duration).gap_minutes == minutes


@pytest.mark.parametrize("duration", [0, "30s", "2h"])
def test_poll_after_has_bounds(tmp_path: Path, duration: object) -> None:
    with pytest.raises(ValidationError):
        stream_config(tmp_path, poll_after=duration)


def test_the_example_is_valid(tmp_path: Path) -> None:
    (tmp_path / "firehose-keys").write_text("key")
    assert stream_config(tmp_path, **EXAMPLE).gap_minutes == 5
