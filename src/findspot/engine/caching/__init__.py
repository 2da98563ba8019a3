"""Which steps and jobs are reused instead of run, by which key, and why."""
