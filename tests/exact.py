"""The oracle: what log(sum(b * exp(a))) is, without a line of the library.

Small rows go through mpmath, which is exact to any number of digits.
Long rows go through long double arithmetic and `math.fsum`, which errs by about 1e-19.
`test_exact.py` compares the two with each other.
"""

import math
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import mpmath
import numpy as np
from mpmath import mp, mpf

INF, NAN = math.inf, math.nan
WIDE_LONG_DOUBLE = np.finfo(np.longdouble).nmant >= 63


class Exact(NamedTuple):
    """An exact result: log|S|, the sign of S and how much the sum of S cancels."""

    value: mpf
    sign: float
    cancellation: float = 1.0  # sum of |terms| / |sum of terms|


NOTHING = Exact(mpf("-inf"), 0.0)
UNDEFINED = Exact(mpf("nan"), NAN)


def logsumexp(a, b=None):
    """Return the `Exact` log(sum(b * exp(a))) over all elements of `a`."""
    a = np.asarray(a)
    b = np.ones(a.shape) if b is None else np.asarray(b)
    a, b = (x.ravel() for x in np.broadcast_arrays(a, b))
    if a.size > 300 and WIDE_LONG_DOUBLE and np.isfinite(a).any() and not _is_special(a, b):
        return _long_row(a, b)
    return contract(a.astype(float).tolist(), b.astype(float).tolist())


def _is_special(a, b):
    return np.isnan(a).any() or np.isposinf(a).any() or not (np.isfinite(b).all() and b.any())


# The definition -------------------------------------------------------------------------


def contract(a, b):
    """Return the `Exact` result for two lists of floats: the contract, spelled out.

    Terms of weight zero count for nothing.
    Equal `a` are gathered and their weights added exactly; since exponentials of different
    rational numbers are linearly independent over the rationals (Lindemann-Weierstrass),
    the sum is zero exactly when every gathered weight is zero.
    """
    kept = [(x, w) for x, w in zip(a, b, strict=True) if w != 0]
    if any(math.isnan(x) or math.isnan(w) for x, w in kept):
        return UNDEFINED
    if any(x == -INF and math.isinf(w) for x, w in kept):  # inf * exp(-inf)
        return UNDEFINED
    infinite_signs = {math.copysign(1.0, w) for x, w in kept if x == INF or math.isinf(w)}
    if len(infinite_signs) == 2:  # inf - inf
        return UNDEFINED
    if infinite_signs:
        return Exact(mpf("inf"), infinite_signs.pop())
    weight_of = defaultdict(Fraction)
    for x, w in kept:
        if x != -INF:
            weight_of[x] += Fraction(w)
    return _finite(tuple(sorted((x, w) for x, w in weight_of.items() if w)))


@lru_cache(maxsize=100_000)
def _finite(terms):
    """Add terms of distinct finite `a`, with more digits until the answer holds still."""
    if not terms:
        return NOTHING
    digits, last = 50, None
    while True:
        this = _with_digits(terms, digits)
        if last is not None:
            with mp.workdps(digits):
                change = abs(this.value - last.value)
                if this.sign == last.sign and change <= abs(this.value) * mpf(10) ** -30:
                    return this
        if digits > 5000:
            raise ArithmeticError(f"no agreement within {digits} digits: {terms!r}")
        digits, last = 2 * digits, this


def _with_digits(terms, digits):
    with mp.workdps(digits):
        logs = [(mpf(x) + (mp.log(_mpf(abs(w))) if abs(w) != 1 else 0), w > 0) for x, w in terms]
        top = max(range(len(logs)), key=lambda i: logs[i][0])
        shift, positive = logs[top]
        # The exponent is x - x_top + log(w / w_top), which keeps its digits for huge x.
        x_top, w_top = terms[top]
        ratios = [mp.exp(mpf(x) - mpf(x_top)) * _mpf(w / w_top) for i, (x, w) in enumerate(terms) if i != top]
        rest = mp.fsum(ratios)
        if rest <= -1:
            # Too few digits, or a sum on the other side of zero.
            if rest == -1:
                return Exact(mpf(0), 0.0)
            total, sign = -(1 + rest), -1.0
            value = shift + mp.log(total)
        else:
            total, sign = 1 + rest, 1.0
            value = shift + mp.log1p(rest)
        cancellation = float((1 + mp.fsum(abs(r) for r in ratios)) / total)
        return Exact(value, sign if positive else -sign, cancellation)


def _mpf(fraction):
    return mpf(fraction.numerator) / mpf(fraction.denominator)


# Long rows ------------------------------------------------------------------------------


def _long_row(a, b):
    keep = (b != 0) & (a != -INF)
    a, b = a[keep].astype(np.longdouble), b[keep].astype(np.longdouble)
    top = np.argmax(a + np.log(np.abs(b)))
    shift = a[top]
    difference = a - shift
    # What the subtraction rounds away, by Knuth's two-sum.
    back = difference - a
    lost = (a - (difference - back)) - (shift + back)
    terms = np.exp(difference) * (1 + lost) * (b / b[top])
    terms[top] = 0
    with mp.workdps(60):
        rest = _sum(terms)
        value = mpf(float(shift)) + mp.log(abs(mpf(float(b[top])))) + mp.log1p(rest) if rest > -1 else None
        if value is None:
            value = mpf(float(shift)) + mp.log(abs(mpf(float(b[top])))) + mp.log(-1 - rest)
        sign = float(np.sign(b[top])) * (1.0 if rest > -1 else -1.0)
        return Exact(value, sign, float((1 + _sum(np.abs(terms))) / abs(1 + rest)))


def _sum(terms):
    """Add long doubles exactly, each as two doubles."""
    # A power of two lifts what would fall below the smallest double.
    exponent = max(int(np.frexp(np.abs(terms).max())[1]), -16000) if terms.size else 0
    terms = np.ldexp(terms, -exponent)
    high = terms.astype(float)
    low = (terms - high).astype(float)
    total = math.fsum(high)
    remainder = math.fsum([-total, *high, *low])  # what rounding the total took away
    return (mpf(total) + mpf(remainder)) * mpf(2) ** exponent


# Distances ------------------------------------------------------------------------------


def ulp_error(got, exact, dtype):
    """Return |got - exact| in units in the last place of `exact` in `dtype`.

    Infinities and NaN are at distance zero from themselves and infinite from all else;
    an exact result beyond the range of `dtype` should have been infinity.
    """
    got, info = float(got), np.finfo(dtype)
    if mpmath.isnan(exact) or math.isnan(got):
        return 0.0 if mpmath.isnan(exact) and math.isnan(got) else INF
    if mpmath.isinf(exact) or exact == 0:
        return 0.0 if got == exact else INF
    with mp.workdps(80):
        exponent = mpmath.frexp(exact)[1] - 1
        ulp = mpf(2) ** (max(int(exponent), int(info.minexp)) - int(info.nmant))
        if math.isinf(got):
            largest = mpf(float(info.max)) + ulp / 2
            return 0.0 if abs(exact) >= largest and (got > 0) == (exact > 0) else INF
        return float(abs(mpf(got) - exact) / ulp)


def ill_conditioned_error(got, exact, a, b=None):
    """Return |got - exact| in eps * max(|result|, largest |a|, cancellation).

    The largest |a| is sought among the terms that the result can feel.
    """
    dtype = np.asarray(a).dtype
    if not math.isfinite(float(got)):
        return ulp_error(got, exact.value, dtype)
    with mp.workdps(80):
        scale = max(abs(exact.value), mpf(_largest(a, b)), mpf(exact.cancellation))
        return float(abs(mpf(float(got)) - exact.value) / (mpf(float(np.finfo(dtype).eps)) * scale))


def is_ill_conditioned(exact, a, b=None):
    """Tell whether the result is small against what it is made of."""
    size = abs(exact.value)
    return bool(size < _largest(a, b) / 4) or exact.cancellation > 2 * max(1, size)


def _largest(a, b):
    """Return the largest |a| among the terms within exp(-40) of the largest term."""
    a = np.asarray(a, dtype=float)
    with np.errstate(divide="ignore"):
        logs = a if b is None else a + np.log(np.abs(np.asarray(b, dtype=float)))
    return float(np.abs(a[logs >= logs.max() - 40]).max())


def rounded(exact, dtype):
    """Return the value and the sign of `exact` in `dtype`."""
    with np.errstate(all="ignore"):
        return np.dtype(dtype).type(float(exact.value)), np.dtype(dtype).type(exact.sign)


def same_bits(x, y):
    """Tell whether two results have one dtype, one shape and one bit pattern; NaN equals NaN."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    both_nan = np.isnan(x) & np.isnan(y)
    as_bits = f"u{x.dtype.itemsize}"
    equal = np.ascontiguousarray(x).view(as_bits) == np.ascontiguousarray(y).view(as_bits)
    return bool(np.all(equal.reshape(x.shape) | both_nan))
