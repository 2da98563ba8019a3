"""The quick encoder gives what the standard library's does."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.json_text import json_encoder

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES, st.booleans(), st.booleans())
def test_it_gives_what_json_gives(value: Any, sort_keys: bool, ensure_ascii: bool) -> None:
    encode = json_encoder(sort_keys=sort_keys, ensure_ascii=ensure_ascii, separators=(", ", ": "))
    assert encode(value) == json.dumps(value, sort_keys=sort_keys, ensure_ascii=ensure_ascii)


def test_errors_leave_nothing_behind() -> None:
    encode = json_encoder(sort_keys=True, ensure_ascii=True)
    inner: dict[str, Any] = {"a": 1}
    outer = {"inner": inner, "other": {object()}}
    with pytest.raises(TypeError, match="set"):
        encode(outer)
    inner["self"] = inner
    with pytest.raises(ValueError, match="contains itself"):
        encode(inner)
    del inner["self"], outer["other"]
    assert encode(outer) == '{"inner":{"a":1}}'


def test_threads_may_share_it() -> None:
    encode = json_encoder(sort_keys=True, ensure_ascii=True)
    value = {str(i): list(range(50)) for i in range(50)}
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.extend(encode(value) for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert found == [expected] * 80
