"""Which names hide what stands under them."""

from __future__ import annotations

import pytest

from findspot.core.secret_names import is_secret_name, is_secret_parameter
from findspot.data.urls import without_secrets
from findspot.engine.environment.redaction import redacted

SECRET = ["password", "db_passwd", "AWS_SECRET_ACCESS_KEY", "api-key", "token", "Authorization"]
SECRET += ["jwt", "bearer", "subscription-key", "accountkey", "key", "X-Amz-Security-Token"]
PLAIN = ["year", "tokenizer", "max_tokens", "keys", "keyword", "author", "passes", "seed"]
IN_URLS = ["sig", "X-Amz-Signature", "code", "sessionid"]


@pytest.mark.parametrize("name", SECRET)
def test_secrets_are_hidden_everywhere(name: str) -> None:
    assert is_secret_name(name)
    assert is_secret_parameter(name)
    assert redacted([f"--{name}=abc", f"--{name}", "abc"]) == [f"--{name}=***", f"--{name}", "***"]
    assert without_secrets(f"https://h/a?{name}=abc") == f"https://h/a?{name}=***"


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_hide_nothing(name: str) -> None:
    assert not is_secret_name(name)
    assert not is_secret_parameter(name)


@pytest.mark.parametrize("name", IN_URLS)
def test_what_is_secret_in_a_url_only(name: str) -> None:
    assert not is_secret_name(name)
    url, shown = (f"https://h/a?{name}={value}" for value in ("abc", "***"))
    assert without_secrets(url) == shown
    assert redacted([f"--{name}", "abc", url]) == [f"--{name}", "abc", shown]
