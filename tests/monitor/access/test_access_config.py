"""The configuration of `auth` and `tls`: valid values, and the errors of invalid values."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from monitor.access.passwords import PasswordHash
from monitor.access.settings import AuthConfig, TlsConfig
from monitor.config.config import Config
from monitor.config.file import parse_config
from monitor.lib.loopback import is_loopback
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext

SECRET = "hunter2-hunter2-hunter2"
HASH = "$scrypt$ln=4,r=8,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA"
ENVIRON = {"TOKEN": SECRET, "SHORT": "short"}
CI = "name: ci, token_env: TOKEN"  # the keys of an entry of `tokens`


def parse(text: str, folder: Path = Path()) -> Config:
    """Parse a configuration. folder: the folder of the files that the text names."""
    return parse_config(text.encode(), "headroom.yaml", ConfigContext(ENVIRON, folder))


def auth_of(text: str, folder: Path = Path()) -> AuthConfig:
    """Return the settings of `auth`."""
    settings = parse(f"auth: {text}", folder).auth
    assert settings
    return settings


def problems_of(text: str, folder: Path = Path()) -> str:
    """Return the problems of an invalid configuration; check that they show no secret."""
    with pytest.raises(ConfigError) as raised:
        parse(text, folder)
    assert SECRET not in str(raised.value) and "short" not in str(raised.value)
    return str(raised.value).replace("headroom.yaml: ", "")


@pytest.mark.parametrize("key", [f"token: {SECRET}", "token_env: TOKEN", "token_file: secret"])
def test_a_token_is_read_from_the_settings_the_environment_or_a_file_and_never_shown(
    tmp_path: Path, key: str
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    config = auth_of(f"{{tokens: [{{name: ci, {key}}}]}}", tmp_path)
    assert config.tokens[0].secret.get_secret_value() == SECRET
    assert config.tokens[0].role == "read"
    assert SECRET not in repr(config)


@pytest.mark.parametrize("key", [f"password: {SECRET}", "password_env: TOKEN", "password_file: secret"])
def test_a_password_is_read_from_the_settings_the_environment_or_a_file(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    config = auth_of(f"{{users: [{{name: ada, {key}}}]}}", tmp_path)
    assert config.users[0].secret == SecretStr(SECRET)
    assert SECRET not in repr(config)


def test_a_configured_password_hash_is_parsed_and_never_shown() -> None:
    config = auth_of(f'{{users: [{{name: ada, role: operate, password_hash: "{HASH}"}}]}}')
    assert config.users[0].secret == PasswordHash.parse(HASH)
    assert HASH not in repr(config)


@pytest.mark.parametrize(
    ("expires", "moment"),
    [
        ("2030-12-31", datetime(2030, 12, 31, tzinfo=UTC)),
        ("2030-12-31T12:00Z", datetime(2030, 12, 31, 12, tzinfo=UTC)),
        ("2030-12-31T12:00:00+02:00", datetime(2030, 12, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_a_token_expires_at_the_start_of_a_day_or_at_a_time(expires: str, moment: datetime) -> None:
    assert auth_of(f"{{tokens: [{{{CI}, expires: {expires}}}]}}").tokens[0].expires == moment


PROXY = "header: X-User, from: [10.0.0.1]"  # the keys of `proxy`
INVALID_AUTH: list[tuple[str, str]] = [
    ("{}", "auth: expected tokens, users, proxy or allow_anonymous: true, found none"),
    ("{open_metrics: true}", "auth: expected tokens, users, proxy or allow_anonymous: true, found none"),
    ("yes", "auth: expected a mapping, found text"),
    ("{token: x}", "auth.token: unknown key; did you mean tokens?"),
    (f"{{tokens: [{{{CI}, rol: read}}]}}", "auth.tokens[0].rol: unknown key; did you mean role?"),
    ("{tokens: [{token_env: TOKEN}]}", "auth.tokens[0].name: missing"),
    ("{tokens: [{name: ci}]}", "auth.tokens[0]: expected token, token_env or token_file, found none"),
    (
        f"{{tokens: [{{{CI}, token: {SECRET}}}]}}",
        "auth.tokens[0]: expected one token, found token and token_env",
    ),
    (
        "{tokens: [{name: ci, token: short}]}",
        "auth.tokens[0].token: expected 16 or more ASCII characters without a space (value not shown)",
    ),
    (
        "{tokens: [{name: ci, token_env: SHORT}]}",
        "auth.tokens[0].token_env: expected 16 or more ASCII characters without a space (value not shown)",
    ),
    (
        f"{{tokens: [{{name: ci, token: {SECRET} {SECRET}}}]}}",
        "auth.tokens[0].token: expected 16 or more ASCII characters without a space (value not shown)",
    ),
    (
        "{tokens: [{name: ci, token_env: NOTHING}]}",
        "auth.tokens[0].token_env: expected the name of an environment variable that is set "
        "(value not shown)",
    ),
    (
        f"{{tokens: [{{{CI}}}, {{name: cd, token_env: TOKEN}}]}}",
        "auth.tokens[1].token: expected a token that differs from that of auth.tokens[0], found the same",
    ),
    (
        f"{{tokens: [{{{CI}}}, {{name: ci, token: other-{SECRET}}}]}}",
        "auth.tokens[1].name: expected a name that differs from that of auth.tokens[0], found the same",
    ),
    (
        f"{{tokens: [{{{CI}, role: admin}}]}}",
        "auth.tokens[0].role: expected one of metrics, read, operate, found 'admin'",
    ),
    (
        f"{{tokens: [{{{CI}, expires: tomorrow}}]}}",
        "auth.tokens[0].expires: expected a day such as 2030-12-31, or a time such as 2030-12-31T12:00Z, "
        "found 'tomorrow'",
    ),
    (
        f'{{tokens: [{{{CI}, expires: "2030-12-31T12:00"}}]}}',
        "auth.tokens[0].expires: expected a day such as 2030-12-31, or a time such as 2030-12-31T12:00Z, "
        "found '2030-12-31T12:00'",
    ),
    (
        "{users: [{name: 'a:b', password_env: TOKEN}]}",
        "auth.users[0].name: expected at most 64 printable characters without a colon, found 'a:b'",
    ),
    (
        "{users: [{name: ada}]}",
        "auth.users[0]: expected password_hash, password, password_env or password_file, found none",
    ),
    (
        f'{{users: [{{name: ada, password_env: TOKEN, password_hash: "{HASH}"}}]}}',
        "auth.users[0]: expected a password or password_hash, found both",
    ),
    (
        f"{{users: [{{name: ada, password_hash: {SECRET}}}]}}",
        "auth.users[0].password_hash: expected the output of `headroom config password-hash`, "
        "found something not of the form $scrypt$ln=14,r=8,p=5$salt$digest (value not shown)",
    ),
    ("{proxy: {header: X-User}}", "auth.proxy.from: missing"),
    ("{proxy: {header: X-User, from: []}}", "auth.proxy.from: expected at least one, found none"),
    (
        "{proxy: {header: X-User, from: [10.0.0.1/8]}}",
        "auth.proxy.from[0]: expected an address or a network such as 10.0.0.0/8, found '10.0.0.1/8'",
    ),
    (
        "{proxy: {header: X-User, from: [1]}}",
        "auth.proxy.from[0]: expected an address or a network such as 10.0.0.0/8, found 1",
    ),
    (
        "{proxy: {header: Authorization, from: [10.0.0.1]}}",
        "auth.proxy.header: expected the name of a header such as X-Forwarded-User, found 'Authorization'",
    ),
    (
        f"{{proxy: {{{PROXY}, role: metrics}}}}",
        "auth.proxy.role: expected one of read, operate, found 'metrics'",
    ),
    (
        f"{{proxy: {{{PROXY}}}, anonymous_role: read}}",
        "auth.anonymous_role: expected allow_anonymous: true beside it",
    ),
    ("{allow_anonymous: sure}", "auth.allow_anonymous: expected true or false, found 'sure'"),
]


@pytest.mark.parametrize(("text", "problem"), INVALID_AUTH)
def test_an_invalid_auth_configuration_is_reported(text: str, problem: str) -> None:
    assert problems_of(f"auth: {text}") == problem


LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"]
OTHER_HOSTS = ["0.0.0.0", "10.0.0.1", "::", "fe80::1", "headroom.example.org", "localhost.example.org"]


@pytest.mark.parametrize("host", LOOPBACK + OTHER_HOSTS)
def test_only_addresses_of_this_machine_are_loopback(host: str) -> None:
    assert is_loopback(host) == (host in LOOPBACK)


@pytest.mark.parametrize("listen", ["0.0.0.0:4070", "[::]:4070", "10.0.0.1:4070", "host.example.org:4070"])
def test_a_listen_address_beyond_loopback_requires_auth(listen: str) -> None:
    sentence = (
        "listen: expected a loopback address such as 127.0.0.1:4070 without `auth`, "
        f"found {listen}: configure `auth`, or set `auth: {{allow_anonymous: true}}` "
        "to let everybody read"
    )
    assert problems_of(f'listen: "{listen}"') == sentence
    with pytest.raises(ConfigError) as raised:
        Config().with_listen(listen)
    assert raised.value.problems == [sentence]
    for auth_text in ("{allow_anonymous: true}", f"{{tokens: [{{{CI}}}]}}"):
        config = parse(f'listen: "{listen}"\nauth: {auth_text}')
        assert config.with_listen(listen).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_a_loopback_listen_address_needs_no_auth(listen: str) -> None:
    assert parse(f'listen: "{listen}"').listen == Config().with_listen(listen).listen == listen


@pytest.fixture(scope="module")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates and their keys, and a text file."""
    folder, ca = tmp_path_factory.mktemp("tls"), trustme.CA()
    for name in ("one", "two"):
        certificate = ca.issue_cert(f"{name}.example.org")
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
    (folder / "text").write_text("hello\n")
    return folder


def test_tls_settings_name_a_certificate_and_its_key(tls_folder: Path) -> None:
    tls = parse("tls: {certificate_file: one.crt, key_file: one.key, minimum_version: 1.3}", tls_folder).tls
    assert tls == TlsConfig.model_construct(
        certificate_file=tls_folder / "one.crt", key_file=tls_folder / "one.key", minimum_version="1.3"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{certificate_file: one.crt}", "tls.key_file: missing"),
        ("{certificate_file: one.crt, key_file: 3}", "tls.key_file: expected the name of a file, found 3"),
        (
            "{certificate_file: one.crt, key_file: none.key}",
            "tls: expected a certificate and its key: {}/none.key: No such file or directory",
        ),
        (
            "{certificate_file: ., key_file: one.key}",
            "tls: expected a certificate and its key: {}: expected a file, found a directory",
        ),
        (
            "{certificate_file: one.crt, key_file: two.key}",
            "tls: expected a certificate and its key: {}/one.crt and {}/two.key cannot be used together: "
            "key values mismatch",
        ),
        (
            "{certificate_file: text, key_file: one.key}",
            "tls: expected a certificate and its key: {}/text and {}/one.key cannot be used together: no pem",
        ),
        (
            "{certificate_file: one.crt, key_file: one.key, minimum_version: 1.1}",
            "tls.minimum_version: expected one of 1.2, 1.3, found '1.1'; did you mean 1.3?",
        ),
    ],
)
def test_an_invalid_tls_configuration_is_reported(tls_folder: Path, text: str, problem: str) -> None:
    assert problems_of(f"tls: {text}", tls_folder) == problem.replace("{}", str(tls_folder))


def test_a_key_file_with_a_passphrase_is_an_error_and_nobody_is_asked_for_the_passphrase(
    tls_folder: Path, tmp_path: Path
) -> None:
    """OpenSSL would otherwise ask for the passphrase on the terminal, and wait for ever."""
    plain_key = trustme.CA().issue_cert("one.example.org").private_key_pem.bytes()
    key = load_pem_private_key(plain_key, None)
    encrypted_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.key").write_bytes(encrypted_key)
    assert "cannot be used together" in problems_of(
        f"tls: {{certificate_file: {tls_folder}/one.crt, key_file: locked.key}}", tmp_path
    )
