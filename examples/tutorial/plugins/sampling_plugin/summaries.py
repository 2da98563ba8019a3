"""Not a task: a function that the tasks of this plugin share."""

import numpy as np


def summary(samples: np.ndarray) -> str:
    """Smallest, largest, mean and standard deviation, to read in a log."""
    return (
        f"min {samples.min():.2f}, max {samples.max():.2f}, "
        f"mean {samples.mean():.2f}, std {samples.std():.2f}"
    )
