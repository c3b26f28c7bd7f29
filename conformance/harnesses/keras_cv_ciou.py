"""KerasCV's compute_ciou without the rest of KerasCV, whose package needs data-set libraries that a loss does not."""

import importlib
import importlib.util
import os
import sys
import types

# Gradients by TensorFlow, unless the caller has chosen a backend.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def bare(name: str) -> None:
    """A package whose __init__ is not run; its modules are imported from its folder as usual."""
    if name in sys.modules:
        return
    parent, _, last = name.rpartition(".")
    if parent:
        path = [f"{folder}/{last}" for folder in sys.modules[parent].__path__]
    else:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        path = list(spec.submodule_search_locations)
    module = types.ModuleType(name)
    module.__path__ = path
    sys.modules[name] = module


for package in ("keras_cv", "keras_cv.src"):
    bare(package)

iou = importlib.import_module("keras_cv.src.bounding_box.iou")
compute_ciou = iou.compute_ciou
