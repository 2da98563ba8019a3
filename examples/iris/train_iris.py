"""Train a classifier of iris flowers, and log it with all that belongs to it.

findspot run examples/iris/train_iris.py:train_iris -p seed=42
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from findspot import JobContext
from findspot.models import evaluate_model


def train_iris(context: JobContext, test_share: float = 0.2, seed: int = 42) -> None:
    data, labels = datasets.load_iris(return_X_y=True, as_frame=True)
    table = data.assign(label=labels)
    dataset = context.log_dataset(
        "iris", table, label_column="label", extra_data={"scatter": scatter(table)}
    )
    train_x, test_x, train_y, test_y = train_test_split(
        data, labels, test_size=test_share, random_state=seed, stratify=labels
    )
    model = LogisticRegression(max_iter=10_000)
    model.fit(train_x, train_y)
    evaluation = evaluate_model(model, test_x, test_y, context=context)
    context.log_model(
        "iris_model",
        value=model,
        metrics=evaluation.metrics,
        extra_data=evaluation,
        training_set=dataset,
        label_column="label",
        inputs=train_x,
        labels={"class": "sklearn.linear_model.LogisticRegression"},
    )


def scatter(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, flowers in table.groupby("label"):
        axes.scatter(flowers.iloc[:, 0], flowers.iloc[:, 2], label=str(label), s=12)
    axes.set(title="Iris", xlabel=table.columns[0], ylabel=table.columns[2])
    axes.legend(title="label")
    return figure
