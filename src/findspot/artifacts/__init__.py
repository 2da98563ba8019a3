"""Artifacts of a workspace: a catalog, a blob store and handlers, working as one.

`space.ArtifactSpace` is the way in: save, load, list, tag, trace, verify.
"""
