"""Test a logged model on a table behind a URL, and add what was found to what is known of it.

    findspot run examples/iris/test_model.py:test_model -p label_column=label \
        -i model=iris_model:latest -i test_set=http://127.0.0.1:8008/iris_test.csv
"""

from __future__ import annotations

from findspot import DataItem, JobContext
from findspot.models import evaluate_model, get_model, update_model


def test_model(context: JobContext, model: DataItem, test_set: DataItem, label_column: str) -> None:
    table = test_set.as_df()
    truth = table.pop(label_column)
    found = get_model(model)
    evaluation = evaluate_model(
        found.load(), table, truth, context=context, name="validation", importance=False
    )
    update_model(
        found.version,
        metrics=evaluation.metrics,
        extra_data=evaluation,
        key_prefix="validation-",
    )
