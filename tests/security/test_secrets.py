"""What opens something is never shown and never written."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.cli.console import complain
from lmdistill.core.addresses import HIDDEN, secrets_in, without_secrets

SECRET = "hunter2pass%40word"
NAMES = (
    "password", "passwd", "pwd", "sslpassword", "ssl_key_password", "ssl_password", "passphrase", "secret",
    "client_secret", "token", "access_token", "auth_token", "api_key", "sslkey", "ssl_key", "credentials", "PWD",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_that_opens_something_is_hidden(name):
    shown = without_secrets(f"postgresql://host/db?charset=utf8&{name}={SECRET}&sslmode=require")
    assert shown == f"postgresql://host/db?charset=utf8&{name}={HIDDEN}&sslmode=require"


PASSWORD = st.text(st.characters(codec="ascii", exclude_categories=("Cc", "Zs")), min_size=4)


@given(PASSWORD)
def test_a_password_before_the_host_is_hidden_whatever_it_holds(password):
    shown = without_secrets(f"mysql://me:{password}@host/db")
    assert shown == f"mysql://me:{HIDDEN}@host/db"


def test_an_address_without_a_password_stays():
    for text in (
        "sqlite:////tmp/trials.db",
        "postgresql://user@host/name?sslmode=require",
        "https://a.b/c?page=2",
        "a: b@c",
    ):
        assert without_secrets(text) == text
        assert secrets_in(text) == ()


def test_passwords_are_known_as_they_are_written_and_as_they_are_sent():
    assert secrets_in(f"mysql://me:{SECRET}@host") == (SECRET, "hunter2pass@word")


def test_an_error_line_shows_no_password_of_an_address(capsys):
    complain(f"--set search.storage=mysql://me:{SECRET}@host?ssl_key_password={SECRET}: search is 3")
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("parameter", ["sslpassword", "ssl_key_password", "password", "token"])
def test_a_storage_is_shown_without_what_opens_it(parameter, place, lmdistill):
    pytest.importorskip("optuna", reason="a search needs optuna")
    study = {"study": "s", "base": "recipe.yaml", "seeds": [0]}
    study["search"] = {"fields": {"training.epochs": [1, 2]}, "trials": 1}
    Path("study.yaml").write_text(yaml.safe_dump(study))
    address = f"sqlite:///nowhere/{SECRET}x.db?{parameter}={SECRET}"
    for where in (address, f"nothing://me:{SECRET}@host/db?{parameter}={SECRET}"):
        for more in ((), ("--list",)):
            said = lmdistill("study", "study.yaml", "--set", f"search.storage={where}", *more)
            assert said.code == 2
            assert f"{parameter}={SECRET}" not in said.err
            assert f":{SECRET}@" not in said.err
            assert "hunter2pass@word" not in said.err
    written = [
        path.read_text(errors="replace")
        for path in place.rglob("*")
        if path.is_file() and "models" not in path.parts
    ]
    assert not any("hunter2" in text for text in written)


def test_keys_of_the_environment_are_not_recorded(place, lmdistill, no_pages, monkeypatch):
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/one")
    assert said.code == 0, said.err
    files = [path for path in Path("runs").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert "hunter2" not in said.out + said.err
