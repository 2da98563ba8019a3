"""What surrounds a job: Python, packages, repository, machine; without secrets."""
