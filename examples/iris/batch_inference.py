"""Two pipelines: one fits and saves the preprocessing and a model; the other, run later and often,
takes both as external artifacts, so that new data are prepared just as the training data were.

    findspot run examples/iris/batch_inference.py:training
    findspot run examples/iris/batch_inference.py:batch_inference
"""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from findspot import ExternalArtifact, current_job, pipeline, task


@task
def flowers(
    share: float = 1.0, seed: int = 0
) -> tuple[Annotated[pd.DataFrame, "data"], Annotated[pd.Series, "labels"]]:
    """A share of the flowers, in random order."""
    data, labels = load_iris(return_X_y=True, as_frame=True)
    chosen = data.sample(frac=share, random_state=seed)
    return chosen, labels.loc[chosen.index]


@task
def fit_preprocessing(data: pd.DataFrame) -> Pipeline:
    steps = make_pipeline(PowerTransformer(), StandardScaler())
    return steps.set_output(transform="pandas").fit(data)


@task
def preprocess(data: pd.DataFrame, preprocessing: Pipeline) -> pd.DataFrame:
    return preprocessing.transform(data)


@task
def fit(data: pd.DataFrame, labels: pd.Series, seed: int = 0) -> RandomForestClassifier:
    return RandomForestClassifier(50, random_state=seed).fit(data, labels)


@task
def predict(model: RandomForestClassifier, data: pd.DataFrame) -> pd.DataFrame:
    shares = pd.DataFrame(model.predict_proba(data), index=data.index)
    return shares.add_prefix("class_").assign(predicted=model.predict(data))


@task
def drift(reference: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """How far the mean of each column moved, in standard deviations of the reference."""
    moved = (current.mean() - reference.mean()) / reference.std()
    current_job().log_metric("largest_drift", float(moved.abs().max()))
    return moved.rename("drift").rename_axis("column").reset_index()


@pipeline
def training(seed: int = 0) -> dict[str, Any]:
    data, labels = flowers(seed=seed)
    preprocessing = fit_preprocessing(data)
    prepared = preprocess(data, preprocessing)
    return {
        "preprocess_pipeline": preprocessing,
        "dataset_trn": prepared,
        "iris_forest": fit(prepared, labels, seed),
    }


@pipeline
def batch_inference(seed: int = 1) -> dict[str, Any]:
    new, _ = flowers(share=0.4, seed=seed)
    prepared = preprocess(new, ExternalArtifact(name="preprocess_pipeline", pipeline="training"))
    reference = ExternalArtifact(name="dataset_trn", pipeline="training")
    return {
        "predictions": predict(ExternalArtifact(name="iris_forest"), prepared),
        "drift": drift(reference, prepared),
    }
