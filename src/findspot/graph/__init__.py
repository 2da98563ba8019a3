"""The task graph: one model (`spec`), written in YAML or in Python, checked before it runs.

Nothing here reads a catalog, runs a task or imports a project's code.

- YAML to graph: `yaml_graph.read_document`, then `yaml_graph.checked_graph`; graph to YAML:
  `yaml_writer.to_yaml`.
- Python to graph: `tasks` and `tracing`.
- Types: `declarations` (as YAML writes them), `compatibility` (which fits which), `inference`
  (of literal values), `classes` and `hierarchy` (Python's own).
- Before running: `checking.check` (the whole graph), `values.check_values` (what was chosen for one
  job), `plan.order` and `plan.predecessors`.
"""
