"""networkx graphs: nodes and edges with their attributes, in a structure."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.encoding import DOCUMENT, Decoder, Encoder
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.registry import default_registry

nx: Any = import_module("networkx")

_CLASSES = ("Graph", "DiGraph", "MultiGraph", "MultiDiGraph")


class GraphHandler(Handler):
    """Graphs of networkx's four classes, with nodes of any kind, edges, keys and attributes of any
    type; nodes and edges in their order. Views are saved as the graphs that they show.

    The order of one node's neighbours follows the order of the edges.
    """

    name = "networkx.graph"
    types = ("networkx.Graph",)
    representations = ("dict",)

    def accepts(self, value: Any) -> bool:
        cls = type(value)
        return cls.__name__ in _CLASSES and getattr(nx, cls.__name__) is cls

    def why_not(self, value: Any) -> str:
        return "it is of a class below networkx' own, which would come back as one of these"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        edges = value.edges(keys=True, data=True) if value.is_multigraph() else value.edges.data()
        document = {
            "class": type(value).__name__,
            "graph": dict(value.graph),
            "nodes": [(node, dict(about)) for node, about in value.nodes.data()],
            "edges": [(*edge[:-1], dict(edge[-1])) for edge in edges],
        }
        registry = self.registry or default_registry()
        Encoder(folder, registry.for_value).save(document)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        registry = self.registry or default_registry()
        document = Decoder(folder, registry.by_name).load()
        try:
            if document["class"] not in _CLASSES:
                raise ValueError(f"there is no class {document['class']!r}")
            graph = getattr(nx, document["class"])()
            graph.graph.update(document["graph"])
            graph.add_nodes_from(document["nodes"])
            graph.add_edges_from(document["edges"])
        except (KeyError, ValueError, TypeError, nx.NetworkXError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadFiles(f"it is no graph: {reason}", where=DOCUMENT) from error
        return graph

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """networkx' own node-link form."""
        return nx.node_link_data(self.load(folder))

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "nodes": value.number_of_nodes(),
            "edges": value.number_of_edges(),
            "directed": bool(value.is_directed()),
            "multigraph": bool(value.is_multigraph()),
        }

    def preview(self, value: Any) -> Preview | None:
        lines = [str(value)]
        for count, edge in enumerate(value.edges()):
            if count == 20:
                lines.append("…")
                break
            lines.append(" - ".join(str(node)[:100] for node in edge))
        return text_preview("\n".join(lines))
