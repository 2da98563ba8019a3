"""Three classifiers over twenty replicates of scikit-learn's wine data.

    python examples/experiments/classifiers.py                       # here, one cell at a time
    python examples/experiments/classifiers.py --executor processes  # or threads, dask:, ray:

Each replicate splits the data anew, and all classifiers of a replicate get the same split, so their
accuracies are compared pair by pair. The hypotheses are registered before anything is run. Killed
and started again, it goes on where it was; ``--replicates 30`` later runs only the new ones.
"""

from __future__ import annotations

import argparse
from typing import Any

from findspot import Artifact, CellContext, Experiment, Hypothesis, Treatment, task
from findspot.experiments.errors import NoRun

model_file = Artifact("model.joblib", kind="model")


def split(ctx: CellContext) -> dict[str, Any]:
    """Half of the 178 wines for training and half for testing, with the same shares of classes."""
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split

    x, y = load_wine(return_X_y=True)
    parts = train_test_split(x, y, test_size=0.5, random_state=ctx.seed, stratify=y)
    return dict(zip(("x_train", "x_test", "y_train", "y_test"), parts, strict=True))


def classifier(kind: str, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    if kind == "forest":
        return RandomForestClassifier(50, random_state=seed)
    if kind == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return DecisionTreeClassifier(random_state=seed)


@task
def fit(
    data: dict[str, Any], ctx: CellContext, out: Artifact = model_file, kind: str = "tree"
) -> dict[str, Any]:
    import joblib

    model = classifier(kind, ctx.seed).fit(data["x_train"], data["y_train"])
    joblib.dump(model, out.path())
    return {**data, "model": model}


@task
def evaluate(data: dict[str, Any], ctx: CellContext) -> None:
    from sklearn.metrics import accuracy_score, log_loss

    model = data["model"]
    ctx.log_metrics(
        {
            "accuracy": accuracy_score(data["y_test"], model.predict(data["x_test"])),
            "log_loss": log_loss(data["y_test"], model.predict_proba(data["x_test"])),
        }
    )


def compare(replicates: int = 20) -> Experiment:
    return Experiment(
        name="classifiers",
        description="Do a forest or a linear model do better than a single tree?",
        datasource=split,
        pipeline=[fit, evaluate],
        treatments=[
            Treatment("forest", {"kind": "forest"}),
            Treatment("logistic", {"kind": "logistic"}),
        ],
        replicates=replicates,
        seed=7,
        outputs=[model_file],
        hypotheses=[
            Hypothesis("accuracy", test="paired_permutation"),
            Hypothesis("log_loss", test="wilcoxon", better="lower"),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare three classifiers.")
    parser.add_argument("--executor", default="inline")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--replicates", type=int, default=20)
    given = parser.parse_args()
    experiment = compare(given.replicates)
    try:
        experiment.result()
    except NoRun:  # what is fixed now is tested by what runs from now on
        experiment.register()
    result = experiment.run(strategy="resume", executor=given.executor, workers=given.workers)
    print(result, f"({result.ran} cells were run now)")
    print(result.summary)
    for verdict in result.hypotheses:
        print(verdict)
    print("Best first:", result.ranking("accuracy"))
    result.plot("accuracy", save=True)
    print(f"The models are in {result.folder}")


if __name__ == "__main__":
    main()
