"""Arrays from .npy files of strangers: never a pickle, nothing allocated that the file does not hold."""

import math
import pathlib

import numpy as np
from numpy.lib import format as npy_format

from .errors import UsageError
from .golden import Array

LARGEST_FILE = 100_000_000


def read(path: pathlib.Path, shape: tuple[int, ...]) -> Array:
    """An array of floats of that shape (a trailing axis of 1, or all numbers in a row, are taken too), in float64."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path}: is no file of at most {LARGEST_FILE} bytes")
        with path.open("rb") as file:
            version = npy_format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"version {version}")
            header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            found, in_fortran_order, dtype = header(file)
            if dtype.hasobject:
                raise UsageError(f"{path}: holds Python objects, which are never loaded; save an array of floats")
            if dtype.kind != "f":
                raise UsageError(f"{path}: holds {dtype}, not floats")
            wanted = math.prod(shape)
            if math.prod(found) != wanted or (found != shape and found not in ((*shape, 1), (wanted,))):
                raise UsageError(f"{path}: has the shape {found}, wanted {shape}")
            data = file.read()
        if len(data) != wanted * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes for {wanted} numbers of {dtype.itemsize}")
        array = np.frombuffer(data, dtype).reshape(found, order="F" if in_fortran_order else "C")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UsageError:
        raise
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise UsageError(f"{path}: is no .npy file, or a damaged one ({' '.join(str(error).split())[:120]})") from None
    return array.reshape(shape).astype(np.float64)
