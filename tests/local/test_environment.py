"""config/environment.py: nonsense is refused with a sentence, unsafe production by name."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment

SAFE: dict[str, Any] = {
    "secret_key": "aB3-" + "kq8Zr1Lw5Xn0Tc7Vb2Mj9Hd4Gf6Ps" * 2,
    "allowed_hosts": ["school.example"],
    "site_url": "https://school.example",
    "database_named": True,
    "email_named": True,
    "backups_named": True,
    "guarded": True,
}
UNSAFE = [
    ("secret_key", "short", "SECRET_KEY must be"),
    ("secret_key", "a" * 60, "SECRET_KEY must be"),
    ("secret_key", "desk-only-0123456789" + "abcdefghij" * 4, "SECRET_KEY must be"),
    ("allowed_hosts", ["*"], "ALLOWED_HOSTS must"),
    ("allowed_hosts", ["school.example", "*"], "ALLOWED_HOSTS must"),
    ("allowed_hosts", ["localhost"], "ALLOWED_HOSTS must"),
    ("site_url", "http://school.example", "SITE_URL must"),
    ("database_named", False, "DATABASE_URL must"),
    ("email_named", False, "EMAIL_URL must"),
    ("guarded", False, "SCHEMA_GUARD must not be false"),
    ("backups_named", False, "BACKUP_DIR must"),
]


def test_safe_values_pass() -> None:
    environment.refuse_unsafe(**SAFE)


@pytest.mark.parametrize(("name", "value", "sentence"), UNSAFE)
def test_each_unsafe_value_is_named_alone(name: str, value: object, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.refuse_unsafe(**{**SAFE, name: value})
    assert sentence in str(caught.value)
    assert str(caught.value).count("\n- ") == 1


@pytest.mark.parametrize("hosts", [["school.example"], ["localhost", "192.0.2.7"], ["*"]])
def test_the_key_of_every_desk_is_refused_where_others_can_come(hosts: list[str]) -> None:
    key = f"{environment.DESK_KEY_PREFIX}{'k' * 50}"
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY .* SCHOOL_ENV=production"):
        environment.refuse_desk_key(secret_key=key, allowed_hosts=hosts)
    environment.refuse_desk_key(secret_key=SAFE["secret_key"], allowed_hosts=hosts)
    environment.refuse_desk_key(secret_key=key, allowed_hosts=["localhost", "127.0.0.1", "[::1]"])


def test_a_forgotten_school_env_does_not_start_in_public() -> None:
    variables = {"SCHOOL_ENV": "", "SECRET_KEY": "", "ALLOWED_HOSTS": "school.example"}
    started = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode != 0
    assert "ALLOWED_HOSTS names school.example" in started.stderr


@pytest.mark.parametrize("name", ["BACKUP_KEY", "PRESERVATION_KEY"])
def test_a_key_that_can_be_guessed_does_not_sign(name: str) -> None:
    started = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={**os.environ, name: "a key"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode != 0
    assert f"{name} must be at least 32 random characters; make one with" in started.stderr


NONSENSE = [
    (lambda env: environment.choice(env, "X", ("a", "b"), "a"), "c", "set it to one of a, b"),
    (lambda env: environment.number(env, "X", 0), "-1", "a whole number"),
    (lambda env: environment.boolean(env, "X", default=False), "yes", "one of true, false"),
    (lambda env: environment.zone(env, "X", "UTC"), "Mars/Base", "no IANA time zone"),
    (lambda env: environment.at_least(env, "X", 14, fewest=2), "1", "a whole number from 2 up"),
    (lambda env: environment.folder(env, "X", Path("/srv")), "backups", "a whole path like"),
    (lambda env: environment.folder(env, "X", Path("/srv")), __file__, "which is no folder"),
    (lambda env: environment.signing_key(env, "X"), "short", "at least 32 random characters"),
    (lambda env: environment.signing_key(env, "X"), "a" * 40, "at least 32 random characters"),
    (lambda env: environment.database_address(env, "X"), "nonsense:", "write it like postgresql"),
    (lambda env: environment.socket_address(env, "X"), "https://school.example", "like wss://"),
    (lambda env: environment.socket_address(env, "X"), "wss:", "like wss://"),
]


@pytest.mark.parametrize(("read", "value", "sentence"), NONSENSE)
def test_nonsense_is_refused_with_what_to_do(
    read: Callable[[environ.Env], object],
    value: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        read(environ.Env())


def test_a_database_address_that_cannot_be_read() -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL cannot be read"):
        environment.database("nonsense", pooled=False)


def test_set_but_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "")
    assert environment.text(environ.Env(), "X", "default") == "default"
    assert environment.words(environ.Env(), "X", ["a"]) == ["a"]


def test_any_language_of_djangos_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    read = partial(environment.languages, environ.Env(), "SCHOOL_LANGUAGES", ["en", "de", "es"])
    monkeypatch.setenv("SCHOOL_LANGUAGES", "")
    assert read() == [("en", "English"), ("de", "German"), ("es", "Spanish")]
    monkeypatch.setenv("SCHOOL_LANGUAGES", "he, en,pt-BR,he")
    assert [code for code, _name in read()] == ["he", "en", "pt-br"]
    monkeypatch.setenv("SCHOOL_LANGUAGES", "en,klingon,xx")
    with pytest.raises(ImproperlyConfigured, match=r"names klingon, xx, .* codes like en,de,es"):
        read()
    monkeypatch.setenv("SCHOOL_LANGUAGES", "ar")
    with pytest.raises(ImproperlyConfigured, match="add en"):
        read()


@pytest.mark.parametrize(
    "value",
    ["short", "nineteen-characters", "with a space in the middle of it", "ümläute-in-it-are-odd-1"],
)
def test_a_token_for_the_metrics_that_could_be_guessed_or_not_sent(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("METRICS_TOKEN", value)
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN must be at least 20 random"):
        environment.metrics_token(environ.Env(), "METRICS_TOKEN")


def test_a_token_is_taken_and_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", " 0123456789abcdef0123 ")
    assert environment.metrics_token(environ.Env(), "METRICS_TOKEN") == "0123456789abcdef0123"
    monkeypatch.setenv("METRICS_TOKEN", "")
    assert environment.metrics_token(environ.Env(), "METRICS_TOKEN") == ""


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("nonsense", "“nonsense”, which is no address"),
        ("10.1.2.3,10.0.0.0/33", "“10.0.0.0/33”, which is no address"),
        ("10.1.2.3/16", "“10.1.2.3/16”, which is no address"),
        ("prometheus.example", "which is no address"),
        ("0.0.0.0/0", "“0.0.0.0/0”, which is everybody"),
        ("10.1.2.3,::/0", "“::/0”, which is everybody"),
    ],
)
def test_addresses_for_the_metrics_that_are_none(
    monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    monkeypatch.setenv("METRICS_ALLOW", value)
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.networks(environ.Env(), "METRICS_ALLOW")
    assert sentence in str(caught.value)


def test_addresses_and_networks_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_ALLOW", "10.1.2.3, 10.2.0.0/16,fd00::/8,")
    found = environment.networks(environ.Env(), "METRICS_ALLOW")
    assert [str(network) for network in found] == ["10.1.2.3/32", "10.2.0.0/16", "fd00::/8"]
    monkeypatch.setenv("METRICS_ALLOW", "")
    assert environment.networks(environ.Env(), "METRICS_ALLOW") == []
