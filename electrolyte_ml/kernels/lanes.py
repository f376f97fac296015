"""Eight doubles side by side as one value: what the vector unit computes with, said to the compiler.

Left to itself the compiler turns a loop over a few dozen neighbours into vectors, tests for overlapping arrays and
scalar rests, which cost more than the arithmetic. A value of `LanesType` is a vector whatever stands around it: `load`
and `store` move it, + - * / (also with a plain float, which is then in all lanes) work lane by lane, `total` adds the
lanes in a fixed order. It is one AVX-512 register, two of AVX2, four of NEON.

Without the compiler (NUMBA_DISABLE_JIT=1) it is a NumPy array of eight numbers, and the kernels run as plain Python.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 8

# Sums may be reassociated and products contracted, but a NaN must stay a NaN.
FAST = {"reassoc", "contract", "nsz", "arcp"}
KERNEL = {"cache": True, "error_model": "numpy", "fastmath": FAST}
# Of the pieces that only kernels call: a way in from Python would take half of their time to compile.
PIECE = {**KERNEL, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_INT = ir.IntType(32)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LanesType(types.Type):
    """Numba's type of eight doubles."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = LanesType()


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _in_all_lanes(context, builder, kind, value):
    """The value as a vector: a number is put into every lane."""
    if isinstance(kind, LanesType):
        return value
    number = context.cast(builder, value, kind, types.float64)
    empty = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(empty, number, _INT(0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


def _define(symbol, instruction) -> None:
    """Give numba an operator between vectors, or between a vector and a number."""

    @infer_global(symbol)
    class Operator(AbstractTemplate):
        def generic(self, args, kws):
            fits = _lanes in args and all(isinstance(kind, LanesType | types.Number) for kind in args)
            return _lanes(*args) if fits else None

    def generate(context, builder, signature, values):
        return getattr(builder, instruction)(
            *(_in_all_lanes(context, builder, kind, v) for kind, v in zip(signature.args, values, strict=True))
        )

    for left, right in ((LanesType, LanesType), (types.Number, LanesType), (LanesType, types.Number)):
        lower_builtin(symbol, left, right)(generate)


for _symbol, _inplace, _instruction in (
    (operator.add, operator.iadd, "fadd"),
    (operator.sub, operator.isub, "fsub"),
    (operator.mul, operator.imul, "fmul"),
    (operator.truediv, operator.itruediv, "fdiv"),
):
    _define(_symbol, _instruction)
    _define(_inplace, _instruction)


def _address(context, builder, kinds, values):
    """Of the eight numbers of a C-contiguous array from [row, column] on; of its row if it has rows of eight."""
    array, pointer = context.make_array(kinds[0])(context, builder, values[0]), _VECTOR.as_pointer()
    row = context.cast(builder, values[1], kinds[1], types.intp)
    if isinstance(kinds[2], types.Omitted):  # a shift where another width needs a product
        return builder.gep(builder.bitcast(array.data, pointer), [row])
    column = context.cast(builder, values[2], kinds[2], types.intp)
    first = builder.add(builder.mul(row, builder.extract_value(array.shape, 1)), column)
    return builder.bitcast(builder.gep(array.data, [first]), pointer)


@intrinsic
def load(typing, array, row, column=None):
    """array[row, column : column + LANES]; without a column the row of an array (rows, LANES)."""

    def generate(context, builder, signature, values):
        return builder.load(_address(context, builder, signature.args, values), align=8)

    return _lanes(array, row, column or types.Omitted(None)), generate


@intrinsic
def store(typing, value, array, row, column=None):
    """Set what `load` reads."""

    def generate(context, builder, signature, values):
        vector = _in_all_lanes(context, builder, signature.args[0], values[0])
        builder.store(vector, _address(context, builder, signature.args[1:], values[1:]), align=8)
        return context.get_dummy_value()

    return types.void(value, array, row, column or types.Omitted(None)), generate


@intrinsic
def spread(typing, number):
    """The number in all lanes."""

    def generate(context, builder, signature, values):
        return _in_all_lanes(context, builder, signature.args[0], values[0])

    return _lanes(number), generate


def _element(context, builder, kinds, values):
    """The address of array[row] in a table, or of array[row, lane] in an array (rows, LANES)."""
    view = context.make_array(kinds[0])(context, builder, values[0])
    place = context.cast(builder, values[1], kinds[1], types.intp)
    if not isinstance(kinds[2], types.Omitted):
        place = builder.mul(place, place.type(LANES))
        place = builder.add(place, context.cast(builder, values[2], kinds[2], types.intp))
    return builder.gep(view.data, [place])


@intrinsic
def at(typing, array, row, lane=None):
    """array[row] of a table, array[row, lane] of an array (rows, LANES), for indices that are not negative.

    Numba reads those from the end, and tests for them; and it multiplies by strides that it reads.
    """

    def generate(context, builder, signature, values):
        return builder.load(_element(context, builder, signature.args, values))

    return array.dtype(array, row, lane or types.Omitted(None)), generate


@intrinsic
def put(typing, value, array, row, lane):
    """Set array[row, lane] of an array (rows, LANES)."""

    def generate(context, builder, signature, values):
        builder.store(values[0], _element(context, builder, signature.args[1:], values[1:]))
        return context.get_dummy_value()

    return types.void(types.float64, array, row, lane), generate


@intrinsic
def total(typing, value):
    """The sum of the lanes."""

    def generate(context, builder, signature, values):
        rest, width = values[0], LANES
        while width > 1:
            width //= 2
            halves = [list(range(start, start + width)) for start in (0, width)]
            rest = builder.fadd(
                *(builder.shuffle_vector(rest, rest, ir.Constant(ir.VectorType(_INT, width), half)) for half in halves)
            )
        return builder.extract_element(rest, _INT(0))

    return types.float64(value), generate


@intrinsic
def root(typing, value):
    """The square root of each lane."""

    def generate(context, builder, signature, values):
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64"), values)

    return _lanes(value), generate


if config.DISABLE_JIT:

    def load(array, row, column=0):  # noqa: D103
        return array[row, column : column + LANES].copy()

    def store(value, array, row, column=0):  # noqa: D103
        array[row, column : column + LANES] = value

    def at(array, row, lane=()):  # noqa: D103
        return array[row, lane] if lane != () else array[row]

    def put(value, array, row, lane):  # noqa: D103
        array[row, lane] = value

    def spread(number):  # noqa: D103
        return np.full(LANES, float(number))

    total, root = np.sum, np.sqrt


@njit(**PIECE)
def aligned(rows, columns):
    """(rows, columns) zeros that begin at a cache line: a vector across two of them takes twice the time."""
    flat = np.zeros(rows * columns + LANES)
    skip = -(flat.ctypes.data >> 3) % LANES
    return flat[skip : skip + rows * columns].reshape(rows, columns)
