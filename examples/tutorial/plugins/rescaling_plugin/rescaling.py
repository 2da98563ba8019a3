"""Tasks that rescale an array and draw it."""

import logging

import numpy as np
from matplotlib.figure import Figure

from findspot.plugins import register

log = logging.getLogger("rescaling_plugin")


@register
def scale_array(input_array: np.ndarray) -> dict[str, np.ndarray]:
    """The array rescaled by min-max, z-score and log1p, by the name of the method.

    The values must be above -1, because log1p is not defined elsewhere.
    """
    low, high = input_array.min(), input_array.max()
    spread, deviation = high - low, input_array.std()
    zeros = np.zeros_like(input_array, dtype=float)
    scaled = {
        # A constant array has no spread; it becomes zeros rather than a division by zero.
        "Min-max": (input_array - low) / spread if spread else zeros,
        "Z-score": (input_array - input_array.mean()) / deviation if deviation else zeros,
        "Log1p": np.log1p(input_array),
    }
    for method, values in scaled.items():
        log.info("%s: %.3f to %.3f", method, values.min(), values.max())
    return scaled


@register
def visualize_rescaling_multi(
    original: np.ndarray, scaled: dict[str, np.ndarray], title: str = "Rescaled"
) -> Figure:
    """One scatter plot for each method: original values across, rescaled values up."""
    # A Figure of its own, not one of pyplot's: it needs no screen and is freed with its last use.
    figure = Figure(figsize=(4.0 * len(scaled), 3.6), layout="constrained")
    axes = figure.subplots(1, len(scaled), squeeze=False)[0]
    for panel, (method, values) in zip(axes, scaled.items(), strict=True):
        panel.scatter(original, values, s=8, alpha=0.5, edgecolors="none")
        panel.set_title(method)
        panel.set_xlabel("original")
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("rescaled")
    figure.suptitle(title)
    return figure
