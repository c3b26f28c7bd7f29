"""What compiled code does with addresses: call what is there, read and write arrays, count, ask for memory ahead of time.

The functions have their meaning in compiled code alone, where `teach` gives it to them.
"""

from collections.abc import Callable
from typing import Any


def teach(overload: Callable[..., Any]) -> None:
    """Tell Numba's CPU target what these functions mean."""
    from llvmlite import ir
    from numba import carray, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def function_at(typing: Any, address: Any, arguments: Any) -> Any:
        function = types.FunctionType(types.void(*arguments.types))

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            view = cgutils.create_struct_proxy(function)(context, builder)
            view.c_addr = builder.inttoptr(values[0], cgutils.voidptr_t)
            view.py_addr = view.jit_addr = cgutils.get_null_value(cgutils.voidptr_t)
            return view._getvalue()

        return function(address, arguments), code

    @intrinsic
    def pointer_to(typing: Any, address: Any, one: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(signature.return_type))

        return types.CPointer(one)(address, one), code

    @intrinsic
    def fetch_and_add(typing: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            place = builder.inttoptr(values[0], cgutils.intp_t.as_pointer())
            return builder.atomic_rmw("add", place, cgutils.intp_t(1), "monotonic")

        return types.intp(address), code

    def fetch(write: int) -> Any:
        @intrinsic
        def code_of(typing: Any, address: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                place, number = cgutils.voidptr_t, cgutils.int32_t
                kind = ir.FunctionType(ir.VoidType(), [place, number, number, number])
                function = builder.module.declare_intrinsic("llvm.prefetch", [place], fnty=kind)
                builder.call(function, [builder.inttoptr(values[0], place), number(write), number(3), number(1)])
                return context.get_dummy_value()

            return types.void(address), code

        return code_of

    to_read, to_write = fetch(0), fetch(1)
    overload(read_soon_at)(lambda address: lambda address: to_read(address))
    overload(write_soon_at)(lambda address: lambda address: to_write(address))
    overload(take_at)(lambda address: lambda address: fetch_and_add(address))
    overload(array_at)(lambda address, size, one: lambda address, size, one: carray(pointer_to(address, one), size))
    overload(call_at)(lambda address, arguments: lambda address, arguments: function_at(address, arguments)(*arguments))


def call_at(address: int, arguments: tuple[Any, ...]) -> None:
    """Call the C function at an address, from compiled code; `teach_cpu` gives it its meaning."""
    raise TypeError("call_at is for compiled code")


def array_at(address: int, size: int, one: Any) -> Any:
    """So many numbers of the type of `one` from an address on, as an array, in compiled code."""
    raise TypeError("array_at is for compiled code")


def take_at(address: int) -> int:
    """The integer at an address, which is one more from now on: no two threads are given the same. In compiled code."""
    raise TypeError("take_at is for compiled code")


def read_soon_at(address: int) -> None:
    """Ask for the line of memory at an address to come into the cache; any address will do. In compiled code."""
    raise TypeError("read_soon_at is for compiled code")


def write_soon_at(address: int) -> None:
    """The same of a line that will be written to."""
    raise TypeError("write_soon_at is for compiled code")
