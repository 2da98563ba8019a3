"""Values and their files: handlers, the registry that finds them, and what they can raise."""

from findspot.handlers.errors import (
    BadFiles,
    BadSelection,
    BadValue,
    CannotConvert,
    ClassNotFound,
    HandlerFailed,
    InvalidHandler,
    NoHandler,
    UnknownHandler,
    Untrusted,
)
from findspot.handlers.folders import PlainLoadFolder, PlainSaveFolder
from findspot.handlers.handler import Handler
from findspot.handlers.hierarchy import python_type_name
from findspot.handlers.html_pages import HtmlPage
from findspot.handlers.loading import load_value, representations_of, runs_code, selections_of
from findspot.handlers.protocol import (
    ArtifactHandler,
    LoadFolder,
    SaveFolder,
    SelectiveHandler,
)
from findspot.handlers.registry import HandlerRegistry, default_registry
from findspot.handlers.saved_figures import SavedFigure
from findspot.handlers.trial import round_trip

__all__ = [
    "ArtifactHandler",
    "BadFiles",
    "BadSelection",
    "BadValue",
    "CannotConvert",
    "ClassNotFound",
    "Handler",
    "HandlerFailed",
    "HandlerRegistry",
    "HtmlPage",
    "InvalidHandler",
    "LoadFolder",
    "NoHandler",
    "PlainLoadFolder",
    "PlainSaveFolder",
    "SaveFolder",
    "SavedFigure",
    "SelectiveHandler",
    "UnknownHandler",
    "Untrusted",
    "default_registry",
    "load_value",
    "python_type_name",
    "representations_of",
    "round_trip",
    "runs_code",
    "selections_of",
]
