"""What a job can be made from: pipelines, entrypoints, functions, scripts, and their arguments."""
