"""The path without kernels: complex64, complex128, longdouble and clongdouble in plain NumPy.

Nothing here is accelerated: one thread, a dozen temporaries of the size of the input.
complex64 is computed in complex128.
The caller has looked at the arguments already: arrays are ndarrays that broadcast, `axis` is in range.

    t = scale * a + logb     the exponent
    z = b * exp(t - shift)   a term; zero where it is not kept
    total = sum of z         the largest term stands apart from the rest, so that no digit of the
                             rest is lost, and imaginary parts are never subtracted before they are
                             summed, so that a complex step of 1e-200 survives
"""

from math import prod
from typing import NamedTuple

import numpy as np

_LN2 = np.log(np.longdouble(2))
_LN2_HIGH = 2977044471 / 2**32  # 32 bits, and the rest of ln 2
_LN2_LOW = np.longdouble("1.90821492927058781614426568075500134360255254120680e-10")
_FAR = 50_000  # exp(-50000) is 0 beside the largest weight of any type


def logsumexp(a, axis, b, keepdims, return_sign, where, logb, scale):
    """Return log(sum(b * exp(scale * a + logb))) over `axis`, with its sign if asked."""
    with np.errstate(all="ignore"):
        rows = _rows(a, axis, b, where, logb, scale)
        state = _fold(rows.t, rows.b)
        value = state.shift + state.lead + state.growth
        return _reduced(rows, value, _unit(state.total), keepdims, return_sign)


def logmeanexp(a, axis, b, keepdims, return_sign, where, logb, scale):
    """Return the logarithm of the weighted mean of exp(scale * a), with its sign if asked."""
    with np.errstate(all="ignore"):
        rows = _rows(a, axis, b, where, logb, scale)
        state, weight = _fold(rows.t, rows.b), _fold(rows.logb, rows.b)
        shift = (state.shift - weight.shift) + (state.lead - weight.lead)
        value = shift + (state.growth - weight.growth)
        sign = _unit(state.total) * _unit_of_divisor(weight.total).conj()
        return _reduced(rows, value, sign, keepdims, return_sign)


def softmax(x, axis, b, where, logb, scale):
    """Return b * exp(scale * x + logb), divided by its sum over `axis`; zero where not kept."""
    with np.errstate(all="ignore"):
        rows = _rows(x, axis, b, where, logb, scale)
        state = _fold(rows.t, rows.b)
        share = state.z / np.where(state.finite, state.total, np.nan)
        share = np.where(state.is_top & (state.total != 0), 1 / (1 + state.rest), share)
        return _mapped(rows, np.where(rows.kept, share, 0))


def log_softmax(x, axis, b, where, logb, scale):
    """Return the logarithm of `softmax`; -inf where not kept."""
    with np.errstate(all="ignore"):
        rows = _rows(x, axis, b, where, logb, scale)
        state = _fold(rows.t, rows.b)
        value = (rows.t.real - state.shift) + (_log_abs(rows.b) - state.lead) - state.growth
        direction = state.direction * _unit_of_divisor(state.total).conj()
        if rows.dtype.kind == "c":
            value = _complex(value, _angle_of_shares(rows, state, direction))
        else:
            value = np.where((direction < 0) & (value > -np.inf), np.nan, value)
        return _mapped(rows, np.where(rows.kept, value, -np.inf))


# --- arrays in, arrays out --------------------------------------------------------------------------


class _Rows(NamedTuple):
    """Exponents, log-weights and weights as `[kept axes..., n]`, and the way back."""

    t: np.ndarray
    logb: np.ndarray
    b: np.ndarray
    kept: np.ndarray
    dtype: np.dtype  # of the result
    shape: tuple  # of the operands, broadcast
    axes: tuple


def _rows(a, axis, b, where, logb, scale):
    # What is not kept becomes an exponent of -inf with weight 1, which is nothing.
    operands = [x for x in (a, b, logb) if x is not None]
    dtype = np.result_type(*(np.float64 if x.dtype.kind in "biu" else x.dtype for x in operands))
    work = np.result_type(dtype, np.float64)
    b = np.ones((), np.int8) if b is None else b
    logb = np.zeros((), np.int8) if logb is None else logb
    where = np.ones((), bool) if where is None else where
    shape = np.broadcast_shapes(a.shape, b.shape, logb.shape, where.shape)
    axis = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(k % len(shape) for k in axis)
    n = prod(shape[k] for k in axes)
    lengths = *(length for k, length in enumerate(shape) if k not in axes), n

    def row(x, dtype):
        if x.ndim == 0 and n:
            return np.full(lengths, x, dtype)
        x = np.moveaxis(np.broadcast_to(x, shape), axes, range(-len(axes), 0))
        x = np.array(x, dtype, order="C").reshape(lengths)
        return x if n else np.zeros((*lengths[:-1], 1), dtype)  # a row is never empty, but kept may be

    real = work.type(0).real.dtype
    t, b, logb = row(a, work), row(b, work if b.dtype.kind == "c" else real), row(logb, work)
    kept = row(where, bool) & (b != 0) & (logb.real != -np.inf)
    t.view(real)[...] *= scale  # part by part: a complex product makes NaN of infinities
    t += logb
    t[~kept] = logb[~kept] = -np.inf
    b[~kept] = 1
    if work.kind == "c":
        t.imag[t.real == -np.inf] = 0  # exp is 0, whatever the phase
    return _Rows(t, logb, b, kept, dtype, shape, axes)


def _reduced(rows, value, sign, keepdims, return_sign):
    undefined = np.isnan(value) | np.isnan(sign)
    value, sign = np.where(undefined, np.nan, value), np.where(undefined, np.nan * sign, sign)
    real = rows.dtype.type(0).real.dtype
    if return_sign:
        results = [value.astype(real), sign.astype(rows.dtype)]
    elif rows.dtype.kind == "c":
        results = [_complex(value, _angle(sign)).astype(rows.dtype)]
    else:
        results = [np.where(sign < 0, np.nan, value).astype(real)]
    lengths = [1 if k in rows.axes else length for k, length in enumerate(rows.shape)]
    shape = [lengths[k] for k in range(len(lengths)) if keepdims or k not in rows.axes]
    results = tuple(x.reshape(shape)[()] for x in results)
    return results if return_sign else results[0]


def _mapped(rows, value):
    n = prod(rows.shape[k] for k in rows.axes)
    lengths = [length for k, length in enumerate(rows.shape) if k not in rows.axes]
    lengths += [rows.shape[k] for k in rows.axes]
    value = np.moveaxis(value[..., :n].reshape(lengths), range(-len(rows.axes), 0), rows.axes)
    return np.array(value, rows.dtype, order="C")[()]


# --- the sum ----------------------------------------------------------------------------------------


class _State(NamedTuple):
    """S = exp(shift + lead) * total / |head|, where head = z[top], and growth = log|total / head|."""

    shift: np.ndarray  # real part of the largest term's exponent
    lead: np.ndarray  # logarithm of its weight
    growth: np.ndarray
    total: np.ndarray
    rest: np.ndarray  # the other terms, divided by the head
    z: np.ndarray
    direction: np.ndarray  # of each term, also where it is too small for z
    is_top: np.ndarray
    finite: np.ndarray  # rows whose largest term is neither zero, infinite nor NaN


def _fold(t, b):
    log_b = _log_abs(b)
    size = t.real + log_b + 0 * t.imag  # NaN where any part is, which argmax takes for the largest
    top = size.argmax(-1, keepdims=True)
    peak = np.take_along_axis(size, top, -1)
    finite = np.isfinite(peak)
    shift = np.where(finite, np.take_along_axis(t.real, top, -1), 0)
    lead = np.where(finite, np.take_along_axis(log_b, top, -1), 0)

    mantissa, exponent = _split(b)
    exponent -= np.take_along_axis(exponent, top, -1)
    direction = mantissa * _unit_at(t.imag) if t.dtype.kind == "c" else mantissa
    z = _exp_of_difference(t.real, shift, exponent) * direction
    z = np.where(np.isposinf(peak), np.where(np.isposinf(size), _infinite(direction), 0), z)
    z[np.isnan(size)] *= np.nan

    head = np.take_along_axis(z, top, -1)
    is_top = np.arange(size.shape[-1]) == top
    rest = np.where(is_top, 0, z).sum(-1, keepdims=True)
    total = head + rest
    growth = np.log(np.abs(total) / np.where(finite, np.abs(head), 1))
    rest = np.where(finite, rest / head, np.nan)
    beside_one = np.log1p(rest.real * (2 + rest.real) + rest.imag**2) / 2  # log|1 + rest|
    growth = np.where(np.abs(rest) < 0.5, beside_one, growth)
    return _State(shift, lead, growth, total, rest, z, direction, is_top, finite)


def _exp_of_difference(x, y, exponent):
    # exp(x - y) * 2^exponent without overflow on the way, and with what the difference rounds away:
    #     d + lost = x - y,   d = k ln2 + r,   exp(r + lost) * 2^(k + exponent)
    d = x - y
    lost = (x - (d - (d - x))) - (y + (d - x))
    d = d.clip(-_FAR, _FAR)
    k = np.rint(d / _LN2.astype(d.dtype))
    r = (d - k * _LN2_HIGH) - k * _LN2_LOW.astype(d.dtype)
    r += np.where(np.isfinite(lost), lost, 0)
    return np.ldexp(np.exp(r), k.astype(np.intc) + exponent)


def _split(b):
    # b = mantissa * 2^exponent; an infinite part leaves only its direction.
    parts = np.stack([b.real, b.imag], -1) if b.dtype.kind == "c" else b[..., None]
    infinite = np.isinf(parts).any(-1, keepdims=True)
    exponent = np.frexp(np.abs(parts).max(-1, keepdims=True))[1]
    mantissa = np.ldexp(parts, -exponent)
    mantissa = np.where(infinite & ~np.isnan(parts), np.copysign(np.isinf(parts), parts), mantissa)
    return mantissa.view(b.dtype)[..., 0], exponent[..., 0]


def _infinite(direction):
    parts = direction.view(direction.real.dtype)
    return np.where(parts == 0, parts, parts * np.inf).view(direction.dtype)


# --- complex numbers from real pieces ---------------------------------------------------------------


def _complex(real, imag):
    z = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real, np.complex64))
    z.real, z.imag = real, imag
    return z


def _unit_at(angle):
    return _complex(np.cos(angle), np.sin(angle))


def _log_abs(z):
    return np.log(z).real if z.dtype.kind == "c" else np.log(np.abs(z))


def _unit(z):
    # z / |z|, or 0
    mantissa, _ = _split(z)
    return np.where(z == 0, 0, mantissa / np.abs(mantissa))


def _unit_of_divisor(z):
    # A sum that cancels divides as +0 does.
    return _unit(np.where(z == 0, 1, z))


def _angle(z):
    # In (-pi, pi], and 0 for any zero.
    angle = np.arctan2(z.imag, z.real)
    pi = _pi(angle.dtype)
    return np.where(z == 0, 0, np.where(angle == -pi, pi, angle))


def _pi(dtype):
    return np.arctan2(dtype.type(0), dtype.type(-1))


def _angle_of_shares(rows, state, direction):
    # The head's is that of 1 / (1 + rest).  Like SciPy's, angles are not wrapped: they are those of
    # exp(t - greatest) less that of their sum, where the greatest t is NumPy's maximum.
    angle = _angle(np.where(state.is_top & state.finite, 1 + state.rest.conj(), direction))
    greatest = rows.t.max(-1, keepdims=True).imag
    unwrapped = rows.t.imag - greatest - _angle(state.total * _unit_at(-greatest))
    unwrapped = unwrapped + np.arctan2(rows.b.imag, rows.b.real)
    turn = 2 * _pi(angle.dtype)
    count = np.rint((unwrapped - angle) / turn)
    return angle + np.where(np.isfinite(count), count, 0) * turn
