"""Jobs: a task graph is planned, run step by step, and recorded.

The way of a job: `pipelines` or `entrypoints` make a plan (`plans`), `launching` fixes its values
(`choosing`) and records it, `runner` decides what is reused (`keys`) and what is run, `executors`
say where, `calls` run one step, `recorder` writes what happened, and `jobs` shows it.
"""
