"""What a reproduction says of itself."""

from __future__ import annotations

from typing import Literal

from findspot.provenance import OutputComparison, Reproduction


def output(name: str, outcome: Literal["identical", "failed"]) -> OutputComparison:
    uri = f"store://values/default/{name}"
    return OutputComparison(name=name, version=uri, outcome=outcome, before="a", after="a")


def test_what_differs_comes_first_and_of_much_that_is_equal_only_the_number() -> None:
    outputs = {f"cell/{n}": output(f"cell/{n}", "identical") for n in range(12)}
    outputs["cell/12"] = output("cell/12", "failed")
    found = Reproduction(version="store://x", job="job", outcome="identical", outputs=outputs)
    lines = found.render().splitlines()
    assert lines[1:4] == ["Outputs:", "  cell/12: failed", "  cell/0: identical"]
    assert lines[-1] == "  ... and 2 more identical ones"
