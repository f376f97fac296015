"""Explicit SIMD vectors for numba.

Left to itself the compiler turns a loop over a few dozen neighbours into vectors, tests for overlapping arrays and
scalar rests, which cost more than the arithmetic. A value of `LanesType` is a vector in any context: `load`
and `store` move it, + - * / (also with a plain number, which is then in all lanes) work lane by lane, `total` adds the
lanes in a fixed order. From an array of float64 it has 8 lanes, from one of float32 16: one AVX-512 register, two of
AVX2, four of NEON. A number that meets it is rounded to its precision, so that no literal promotes anything.

Without the compiler (NUMBA_DISABLE_JIT=1) it is a NumPy array, and the kernels run as plain Python.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 8  # atoms that go through the graph of products together, in float64

# Sums may be reassociated and products contracted, but a NaN must stay a NaN.
FAST = {"reassoc", "contract", "nsz", "arcp"}
KERNEL = {"cache": True, "error_model": "numpy", "fastmath": FAST}
# Options of functions that only kernels call: an entry point for Python would double their compile time.
PIECE = {**KERNEL, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_BYTES = 64  # of a vector
_INT = ir.IntType(32)


class LanesType(types.Type):
    """Numba's type of a vector of numbers of type `dtype`."""

    def __init__(self, dtype: types.Float) -> None:
        super().__init__(name=f"Lanes({dtype})")
        self.dtype = dtype

    @property
    def width(self) -> int:
        """Number of lanes."""
        return _BYTES * 8 // self.dtype.bitwidth

    @property
    def vector(self) -> ir.VectorType:
        """The compiler's type."""
        return ir.VectorType(ir.DoubleType() if self.dtype == types.float64 else ir.FloatType(), self.width)


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def _in_all_lanes(context, builder, kind, value, lanes):
    """The value as a vector: a number is put into every lane."""
    if isinstance(kind, LanesType):
        return value
    number = context.cast(builder, value, kind, lanes.dtype)
    empty = ir.Constant(lanes.vector, ir.Undefined)
    one = builder.insert_element(empty, number, _INT(0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_INT, lanes.width), [0] * lanes.width))


def _define(symbol, instruction) -> None:
    """Give numba an operator between vectors, or between a vector and a number."""

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
    """Of a vector in a C-contiguous array from [row, column] on; without a column, of its row if rows are as wide."""
    array, pointer = context.make_array(kinds[0])(context, builder, values[0]), vector.as_pointer()
    row = context.cast(builder, values[1], kinds[1], types.intp)
    if isinstance(kinds[2], types.Omitted):  # a shift where another width needs a product
        return builder.gep(builder.bitcast(array.data, pointer), [row])
    column = context.cast(builder, values[2], kinds[2], types.intp)
    first = builder.add(builder.mul(row, builder.extract_value(array.shape, 1)), column)
    return builder.bitcast(builder.gep(array.data, [first]), pointer)


@intrinsic
def load(typing, array, row, column=None):
    """The vector array[row, column : column + width(array)]; without a column the row of an array that wide."""
    lanes = LanesType(array.dtype)

    def generate(context, builder, signature, values):
        address = _address(context, builder, signature.args, values, lanes.vector)
        return builder.load(address, align=array.dtype.bitwidth // 8)

    return lanes(array, row, column or types.Omitted(None)), generate


@intrinsic
def store(typing, value, array, row, column=None):
    """Set what `load` reads. Of a row of eight float32 numbers, eight float64 lanes are rounded."""
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
    """The number in all lanes of a vector of the array's kind."""
    lanes = LanesType(array.dtype)

    def generate(context, builder, signature, values):
        return _in_all_lanes(context, builder, signature.args[0], values[0], lanes)

    return lanes(number, array), generate


@intrinsic
def width(typing, array):
    """Lanes of a vector of the array's kind."""
    lanes = LanesType(array.dtype).width

    def generate(context, builder, signature, values):
        return context.get_constant(types.intp, lanes)

    return types.intp(array), generate


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
    """The sum of the lanes, as a float64."""

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
    """The square root of each lane."""

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
    """(rows, columns) zeros of the kind of `like`, from the start of a cache line: across two a vector takes longer."""
    lanes = width(like)
    flat = np.zeros(rows * columns + lanes, like.dtype)
    skip = -(flat.ctypes.data // flat.itemsize) % lanes
    return flat[skip : skip + rows * columns].reshape(rows, columns)
