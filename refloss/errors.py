"""What refloss raises: one sentence that names the function, the argument, what was wanted, what came, and the way out."""

from typing import NoReturn


class ReflossError(Exception):
    """Base of every error that refloss raises on purpose."""


class ReflossValueError(ReflossError, ValueError):
    """An argument of the right type with a value outside its domain."""


class ReflossTypeError(ReflossError, TypeError):
    """An argument of the wrong type."""


def bad_value(function: str, argument: str, wanted: str, got: object, way_out: str) -> NoReturn:
    raise ReflossValueError(f"{function}: {argument} must be {wanted}, got {got}; {way_out}")


def bad_type(function: str, argument: str, wanted: str, got: object, way_out: str) -> NoReturn:
    raise ReflossTypeError(f"{function}: {argument} must be {wanted}, got {got}; {way_out}")
