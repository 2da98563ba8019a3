"""Tasks that make the data: samples, noise on them, and a transformation that spreads them out."""

import logging

import numpy as np

from findspot.plugins import register

from .summaries import summary

log = logging.getLogger("sampling_plugin")


@register
def draw_samples(seed: int, mean: float, variance: float, size: int) -> np.ndarray:
    """``size`` samples from a normal distribution; equal seeds give equal samples."""
    generator = np.random.default_rng(seed)
    samples = generator.normal(mean, np.sqrt(variance), size)
    log.info("samples: %s", summary(samples))
    return samples


@register
def add_noise(samples: np.ndarray, seed: int, amount: float = 1.0) -> np.ndarray:
    """The samples, each moved by up to ``amount`` either way."""
    # Another stream than that of the samples, so that equal seeds do not tie the two together.
    generator = np.random.default_rng([seed, 1])
    noisy = samples + generator.uniform(-amount, amount, samples.shape)
    log.info("with noise: %s", summary(noisy))
    return noisy


@register
def transform(samples: np.ndarray, exponent: float = 2.0) -> np.ndarray:
    """Distances from the smallest sample, raised to ``exponent``: from 0 up, with a long tail."""
    transformed = (samples - samples.min()) ** exponent
    log.info("transformed: %s", summary(transformed))
    return transformed
