"""Handwritten digits: load, split, train, evaluate; every result is a typed artifact.

    findspot run examples/digits/digits.py -p depth=8 --seed 7

or from Python: ``digits.run(depth=8, seed=7)``.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import train_test_split

from findspot import current_job, pipeline, task


@task
def load() -> tuple[Annotated[np.ndarray, "images"], Annotated[np.ndarray, "labels"]]:
    """The 1,797 images of scikit-learn, 8 x 8 grey levels from 0 to 16 as 64 columns."""
    data = load_digits()
    return data.data, data.target


@task(outputs=["train_images", "test_images", "train_labels", "test_labels"])
def split(
    images: np.ndarray, labels: np.ndarray, test_share: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A part for training and one for testing, with the same share of every digit."""
    parts = train_test_split(
        images, labels, test_size=test_share, random_state=seed, stratify=labels
    )
    return parts[0], parts[1], parts[2], parts[3]


@task
def train(
    images: np.ndarray, labels: np.ndarray, trees: int, depth: int, seed: int = 0
) -> RandomForestClassifier:
    model = RandomForestClassifier(trees, max_depth=depth, random_state=seed)
    model.fit(images, labels)
    current_job().log_metric("train_accuracy", float(model.score(images, labels)))
    return model


@task(outputs=["metrics", "confusion"])
def evaluate(
    model: RandomForestClassifier, images: np.ndarray, labels: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Precision, recall and F1 of each digit, and the confusion matrix (rows: the truth)."""
    predicted = model.predict(images)
    precision, recall, f1, count = precision_recall_fscore_support(labels, predicted)
    current_job().log_metric("accuracy", float(accuracy_score(labels, predicted)))
    table = pd.DataFrame(
        {"digit": range(10), "precision": precision, "recall": recall, "f1": f1, "count": count}
    )
    return table, confusion_matrix(labels, predicted)


@task
def draw(confusion: np.ndarray, title: str) -> Figure:
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(confusion, cmap="Blues")
    for (truth, guess), count in np.ndenumerate(confusion):
        if count:
            colour = "white" if count > confusion.max() / 2 else "black"
            axes.text(guess, truth, str(count), ha="center", va="center", color=colour)
    axes.set(title=title, xlabel="predicted", ylabel="truth")
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    figure.colorbar(picture)
    return figure


@pipeline
def digits(trees: int = 50, depth: int = 12, split_seed: int = 0) -> dict[str, Any]:
    images, labels = load()
    train_images, test_images, train_labels, test_labels = split(images, labels, seed=split_seed)
    model = train(train_images, train_labels, trees, depth)
    metrics, confusion = evaluate(model, test_images, test_labels)
    return {
        "digits_model": model,
        "digits_metrics": metrics,
        "digits_confusion": confusion,
        "digits_confusion_figure": draw(confusion, "Digits: what was taken for what"),
    }


if __name__ == "__main__":
    job = digits.run()
    print(job, job.metrics)
    print(job.outputs["digits_metrics"].load())
    for name, version in job.outputs.items():
        print(name, version.uri)
