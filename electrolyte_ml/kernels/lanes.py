"""Explicit SIMD vectors for numba.

The compiler's own vectorisation of a loop over a few dozen neighbours adds tests for overlapping arrays and scalar
remainder loops, which cost more than the arithmetic. A value of `LanesType` is always a vector: `load` and `store` move
it, + - * / work lane by lane (a plain number is copied to all lanes), and `total` adds the lanes in a fixed order. A
vector has 8 lanes of float64 or 16 of float32: one register of AVX-512, two of AVX2, four of NEON. A number in an
operation with a vector is rounded to its precision, so that literals do not promote float32 to float64.

Without compilation (NUMBA_DISABLE_JIT=1) a vector is a NumPy array, and the kernels run as plain Python.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 8  # atoms that are processed together in the graph of products, in float64

# Sums may be reassociated and products contracted, but a NaN must stay a NaN.
FAST = {"reassoc", "contract", "nsz", "arcp"}
KERNEL = {"cache": True, "error_model": "numpy", "fastmath": FAST}
# Options of functions that only kernels call: an entry point for Python would double their compile time.
PIECE = {**KERNEL, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_BYTES = 64  # size of a vector
_INT = ir.IntType(32)


class LanesType(types.Type):
    """Numba type of a vector of numbers of type `dtype`."""

    def __init__(self, dtype: types.Float) -> None:
        super().__init__(name=f"Lanes({dtype})")
        self.dtype = dtype

    @property
    def width(self) -> int:
        """Number of lanes."""
        return _BYTES * 8 // self.dtype.bitwidth

    @property
    def vector(self) -> ir.VectorType:
        """LLVM type of the vector."""
        return ir.VectorType(ir.DoubleType() if self.dtype == types.float64 else ir.FloatType(), self.width)


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def _in_all_lanes(context, builder, kind, value, lanes):
    """Return the value as a vector; a number is copied to every lane."""
    if isinstance(kind, LanesType):
        return value
    number = context.cast(builder, value, kind, lanes.dtype)
    empty = ir.Constant(lanes.vector, ir.Undefined)
    first_lane = builder.insert_element(empty, number, _INT(0))
    return builder.shuffle_vector(first_lane, empty, ir.Constant(ir.VectorType(_INT, lanes.width), [0] * lanes.width))


def _define(symbol, instruction) -> None:
    """Define an operator between two vectors, or a vector and a number, for numba."""

    @infer_global(symbol)
    class Operator(AbstractTemplate):
        def generic(self, args, kws):
            vectors = {kind for kind in args if isinstance(kind, LanesType)}
            fits = len(vectors) == 1 and all(isinstance(kind, LanesType | types.Number) for kind in args)
            return vectors.pop()(*args) if fits else None

    def generate(context, builder, signature, values):
        lanes = signature.return_type
        return getattr(builder, instruction)(
            *(_in_all_lanes(context, builder, kind, v, lanes) for kind, v in zip(signature.args, values, strict=True))
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


def _address(context, builder, kinds, values, vector):
    """Return the address of the vector at [row, column] of a C-contiguous array; without a column, of a whole row."""
    array, pointer = context.make_array(kinds[0])(context, builder, values[0]), vector.as_pointer()
    row = context.cast(builder, values[1], kinds[1], types.intp)
    if isinstance(kinds[2], types.Omitted):  # rows as wide as the vector: a shift replaces a product
        return builder.gep(builder.bitcast(array.data, pointer), [row])
    column = context.cast(builder, values[2], kinds[2], types.intp)
    first = builder.add(builder.mul(row, builder.extract_value(array.shape, 1)), column)
    return builder.bitcast(builder.gep(array.data, [first]), pointer)


@intrinsic
def load(typing, array, row, column=None):
    """Load the vector array[row, column : column + width(array)]; without a column, a row of an array of this width."""
    lanes = LanesType(array.dtype)

    def generate(context, builder, signature, values):
        address = _address(context, builder, signature.args, values, lanes.vector)
        return builder.load(address, align=array.dtype.bitwidth // 8)

    return lanes(array, row, column or types.Omitted(None)), generate


@intrinsic
def store(typing, value, array, row, column=None):
    """Store a vector where `load` reads it; eight float64 lanes are rounded for a row of eight float32 numbers."""
    lanes = value if isinstance(value, LanesType) else LanesType(array.dtype)

    def generate(context, builder, signature, values):
        vector = _in_all_lanes(context, builder, signature.args[0], values[0], lanes)
        if lanes.dtype != array.dtype:
            vector = builder.fptrunc(vector, ir.VectorType(ir.FloatType(), lanes.width))
        address = _address(context, builder, signature.args[1:], values[1:], vector.type)
        builder.store(vector, address, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(value, array, row, column or types.Omitted(None)), generate


@intrinsic
def spread(typing, number, array):
    """Return a vector of the type of the array, with the number in all lanes."""
    lanes = LanesType(array.dtype)

    def generate(context, builder, signature, values):
        return _in_all_lanes(context, builder, signature.args[0], values[0], lanes)

    return lanes(number, array), generate


@intrinsic
def width(typing, array):
    """Return the number of lanes of a vector of the type of the array."""
    lanes = LanesType(array.dtype).width

    def generate(context, builder, signature, values):
        return context.get_constant(types.intp, lanes)

    return types.intp(array), generate


def _element(context, builder, kinds, values):
    """Return the address of array[row] in a table, or of array[row, lane] in an array (rows, LANES)."""
    view = context.make_array(kinds[0])(context, builder, values[0])
    place = context.cast(builder, values[1], kinds[1], types.intp)
    if not isinstance(kinds[2], types.Omitted):
        place = builder.mul(place, place.type(LANES))
        place = builder.add(place, context.cast(builder, values[2], kinds[2], types.intp))
    return builder.gep(view.data, [place])


@intrinsic
def at(typing, array, row, lane=None):
    """Read array[row] of a table, or array[row, lane] of an array (rows, LANES), for non-negative indices.

    This avoids numba's test for negative indices and its multiplication by strides read from memory.
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
    """Return the sum of the lanes as a float64."""

    def generate(context, builder, signature, values):
        rest, lanes = values[0], value.width
        while lanes > 1:
            lanes //= 2
            halves = [list(range(start, start + lanes)) for start in (0, lanes)]
            rest = builder.fadd(
                *(builder.shuffle_vector(rest, rest, ir.Constant(ir.VectorType(_INT, lanes), half)) for half in halves)
            )
        return context.cast(builder, builder.extract_element(rest, _INT(0)), value.dtype, types.float64)

    return types.float64(value), generate


@intrinsic
def root(typing, value):
    """Return the square root of each lane."""

    def generate(context, builder, signature, values):
        name = f"llvm.sqrt.v{value.width}f{value.dtype.bitwidth}"
        kind = ir.FunctionType(value.vector, [value.vector])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

    return value(value), generate


if config.DISABLE_JIT:

    def width(array):  # noqa: D103
        return _BYTES // array.itemsize

    def load(array, row, column=0):  # noqa: D103
        return array[row, column : column + width(array)].copy()

    def store(value, array, row, column=0):  # noqa: D103
        array[row, column : column + np.size(value) if np.ndim(value) else None] = value

    def spread(number, array):  # noqa: D103
        return np.full(width(array), number, array.dtype)

    def at(array, row, lane=()):  # noqa: D103
        return array[row, lane] if lane != () else array[row]

    def put(value, array, row, lane):  # noqa: D103
        array[row, lane] = value

    total, root = np.sum, np.sqrt


@njit(**PIECE)
def aligned(rows, columns, like):
    """Return zeros (rows, columns) of the type of `like`, aligned to a cache line for fast vector access."""
    lanes = width(like)
    flat = np.zeros(rows * columns + lanes, like.dtype)
    skip = -(flat.ctypes.data // flat.itemsize) % lanes
    return flat[skip : skip + rows * columns].reshape(rows, columns)
