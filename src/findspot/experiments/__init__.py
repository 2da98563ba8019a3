"""Experiments: a baseline and treatments, replicates with seeds of their own, statistics over them.

`findspot.experiments.experiment.Experiment` is the way in. Each run is a job of the engine with a
step for every cell (condition x replicate), so caching, executors, logs, lineage and resume are the
engine's own.
"""
