"""What code in a job logs: artifacts, datasets, models, plots, and their published copies."""
