"""Importing refloss loads NumPy and nothing heavier, quickly, and works where nothing can be written."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import refloss


def python(code: str, *, cwd: pathlib.Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_only() -> None:
    code = "import sys, numpy; before = set(sys.modules); import refloss; print(*(set(sys.modules) - before))"
    loaded = {name.split(".")[0] for name in python(code).split()}
    third_party = loaded - set(sys.stdlib_module_names)
    assert third_party - {"numpy"} == {"refloss"}  # a submodule of NumPy may be new


def test_quick() -> None:
    code = "import numpy, time; t = time.perf_counter(); import refloss; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(5)) < 0.150


@pytest.mark.skipif(os.name != "posix", reason="permissions are set the POSIX way")
def test_read_only_installation(tmp_path: pathlib.Path) -> None:
    """Nowhere to write: neither beside the package nor at home. Root would write all the same, so the cache is sent to a file."""
    package = tmp_path / "site"
    shutil.copytree(pathlib.Path(refloss.__file__).parent, package / "refloss", ignore=shutil.ignore_patterns("__pycache__"))
    blocked = tmp_path / "not-a-folder"
    blocked.touch()
    (package / "refloss" / "_engine" / "__pycache__").touch()  # a file where the cache folder would be
    code = "import refloss, numpy as np; print(refloss.l1_loss(np.ones(2), np.zeros(2)).sum(), refloss.__file__)"
    environment = {"PYTHONPATH": str(package), "HOME": str(blocked), "XDG_CACHE_HOME": str(blocked), "PYTHONDONTWRITEBYTECODE": "1"}
    output = python(code, cwd=tmp_path, **environment)
    assert output.startswith("2.0")
    assert str(package) in output


def test_criteria_are_loaded_when_asked_for() -> None:
    code = "import sys, refloss; print('refloss.criteria' in sys.modules, 'criteria' in dir(refloss), refloss.criteria.SSD.__name__)"
    assert python(code).split() == ["False", "True", "SSD"]
    assert python("from refloss import *; print(criteria.FCOS.__name__, ciou_loss.__name__)").split() == ["FCOS", "ciou_loss"]
    with pytest.raises(AttributeError, match="module 'refloss' has no attribute 'focal_lost'"):
        refloss.focal_lost  # noqa: B018
