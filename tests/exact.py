"""The oracle: what the functions should return, without a line of the library.

Small rows go through mpmath, which is exact to any number of digits.
Long rows go through long double arithmetic and `math.fsum`, which errs by about 1e-19.
`test_exact.py` compares the two with each other.

`contract`, `contract_sum`, `contract_mean` and `contract_shares` are the definitions, spelled out;
`logsumexp`, `logmeanexp` and `shares` give the same for rows of any length.
"""

import itertools
import math
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache, wraps
from typing import NamedTuple

import mpmath
import numpy as np
from mpmath import mp, mpf

INF, NAN = math.inf, math.nan
WIDE_LONG_DOUBLE = np.finfo(np.longdouble).nmant >= 63


def remembered(function):
    """Keep the results, which nobody changes: every instruction set asks for the same."""
    kept = {}

    @wraps(function)
    def wrapper(*arguments, **options):
        key = [options.get(name) for name in sorted(options)]
        key = tuple(
            (x.dtype.str, x.shape, x.tobytes()) if isinstance(x, np.ndarray) else x
            for x in (*arguments, *sorted(options), *key)
        )
        if key not in kept:
            if len(kept) > 20_000:
                kept.clear()
            kept[key] = function(*arguments, **options)
        return kept[key]

    return wrapper


class Exact(NamedTuple):
    """An exact result: log|S|, the sign of S and how much the sum of S cancels."""

    value: mpf
    sign: float
    cancellation: float = 1.0  # sum of |terms| / |sum of terms|


NOTHING = Exact(mpf("-inf"), 0.0)
UNDEFINED = Exact(mpf("nan"), NAN)


@remembered
def logsumexp(a, b=None):
    """Return the `Exact` log(sum(b * exp(a))) over all elements of `a`."""
    a, b = _row(a, b)
    if a.size > 40 and WIDE_LONG_DOUBLE and np.isfinite(a).any() and not _is_special(a, b):
        return _long_row(a, b)
    return contract(a.astype(float).tolist(), b.astype(float).tolist())


def logmeanexp(a, b=None):
    """Return the `Exact` log(sum(b * exp(a)) / sum(b)) over all elements of `a`."""
    a, b = _row(a, b)
    count = sum(map(Fraction, b.astype(float).tolist()))
    return _quotient(logsumexp(a, b), _finite(((0.0, count),)) if count else NOTHING)


@remembered
def shares(a, b=None, where=None, logb=None, scale=1.0):
    """Return (softmax, log_softmax, cancellation) of a row without NaN and positive infinities.

    The first two are arrays of long doubles, or of mpmath's numbers where long double is no wider
    than double.
    """
    if WIDE_LONG_DOUBLE:
        return _long_shares(a, b, where, logb, scale)
    softmax, log_softmax = contract_shares(a, b, where, logb, scale)
    total = contract_sum(a, b, where, logb, scale)
    return np.array(softmax, object), np.array(log_softmax, object), total.cancellation


def _row(a, b):
    a = np.asarray(a)
    b = np.ones(a.shape) if b is None else np.asarray(b)
    return [x.ravel() for x in np.broadcast_arrays(a, b)]


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
    weights_of = defaultdict(list)
    for x, w in kept:
        if x != -INF:
            weights_of[x].append(w)
    gathered = (
        (x, Fraction(ws[0]) if len(ws) == 1 else sum(map(Fraction, ws))) for x, ws in weights_of.items()
    )
    return _finite(tuple(sorted((x, w) for x, w in gathered if w)))


def contract_sum(a, b=None, where=None, logb=None, scale=1.0):
    """Return the `Exact` log|S|, S = sum of b * exp(scale * a + logb) over what is kept."""
    kept = _kept(a, b, where, logb, scale)
    return contract([term.exponent for term in kept], [term.weight for term in kept])


def contract_mean(a, b=None, where=None, logb=None, scale=1.0):
    """Return the `Exact` log|S / W|, W = sum of b * exp(logb) over what is kept."""
    kept = _kept(a, b, where, logb, scale)
    weights = [term.weight for term in kept]
    return _quotient(
        contract([term.exponent for term in kept], weights), contract([term.logb for term in kept], weights)
    )


def contract_shares(a, b=None, where=None, logb=None, scale=1.0):
    """Return two lists: each element's b * exp(scale * a + logb) / S, and the logarithm of that.

    Elements that are not kept have a share of 0.
    An undefined S leaves every kept share undefined.  An infinite one leaves the logarithms of the
    terms that are finite at -inf, as in SciPy, and all else undefined.
    A sum of zero divides as floating-point numbers divide.
    """
    kept = _kept(a, b, where, logb, scale)
    softmax, log_softmax = [mpf(0)] * np.size(a), [mpf("-inf")] * np.size(a)
    total = contract([term.exponent for term in kept], [term.weight for term in kept])
    finite = tuple((t, w) for _, t, w, _ in kept if t != -INF)
    logs = iter(_finite_shares(finite) if mpmath.isfinite(total.value) else ())
    for i, t, w, _ in kept:
        infinite = t == INF or math.isinf(w)
        if mpmath.isnan(total.value) or (total.value == INF and infinite):
            softmax[i] = log_softmax[i] = mpf("nan")
        elif total.value == INF:
            softmax[i] = mpf("nan")
        elif total.sign == 0:
            softmax[i] = mpf("nan") if t == -INF else mpf("inf") * (1 if w > 0 else -1)
            log_softmax[i] = mpf("inf") if t != -INF and w > 0 else mpf("nan")
        elif t != -INF:
            log_softmax[i] = next(logs)
            positive = (w > 0) == (total.sign > 0)
            with mp.workdps(60):
                softmax[i] = mp.exp(log_softmax[i]) * (1 if positive else -1)
            log_softmax[i] = log_softmax[i] if positive else mpf("nan")
    return softmax, log_softmax


class Term(NamedTuple):
    """A kept term: its place, its exponent (a `Fraction` or not finite), its weight and log-weight."""

    index: int
    exponent: Fraction | float
    weight: float
    logb: float


def _kept(a, b, where, logb, scale):
    a = np.asarray(a, dtype=float).ravel()
    b, where, logb = (
        np.broadcast_to(default if x is None else x, a.shape).tolist()
        for x, default in ((b, 1.0), (where, True), (logb, 0.0))
    )
    terms = zip(itertools.count(), a.tolist(), b, where, logb)
    return [
        Term(i, _exponent(x, log_w, scale), float(w), float(log_w))
        for i, x, w, keep, log_w in terms
        if keep and w != 0 and log_w != -INF
    ]


def _exponent(x, log_w, scale):
    if math.isfinite(x) and math.isfinite(log_w) and math.isfinite(scale):
        return Fraction(scale) * Fraction(x) + Fraction(log_w)
    return scale * x + log_w


def _quotient(total, count):
    """Divide two sums, each given by the logarithm of its size and its sign."""
    if mpmath.isnan(total.value) or mpmath.isnan(count.value):
        return UNDEFINED
    if (total.sign == 0 and count.sign == 0) or (total.value == INF and count.value == INF):
        return UNDEFINED
    sign = total.sign * (count.sign or 1.0)
    with mp.workdps(60):
        return Exact(total.value - count.value, sign, total.cancellation)


@lru_cache(maxsize=100_000)
def _finite_shares(terms):
    """Return log|share| of each finite term, with more digits until the answers hold still."""
    digits, last = 50, None
    while True:
        this = _shares_with_digits(terms, digits)
        if last is not None:
            with mp.workdps(digits):
                # What lies below 1e-360 is zero in every dtype.
                changes = [
                    abs(x - y) <= max(abs(x) * mpf(10) ** -30, mpf(10) ** -360)
                    for x, y in zip(this, last, strict=True)
                ]
                if all(changes):
                    return this
        if digits > 5000:
            raise ArithmeticError(f"no agreement within {digits} digits: {terms!r}")
        digits, last = 2 * digits, this


def _shares_with_digits(terms, digits):
    with mp.workdps(digits):
        sizes = [_mpf(x) + _log(abs(Fraction(w))) for x, w in terms]
        top = max(range(len(terms)), key=sizes.__getitem__)
        x_top, w_top = terms[top]
        distances = [_mpf(x - x_top) + _log(abs(Fraction(w) / Fraction(w_top))) for x, w in terms]
        ratios = [
            mp.exp(d) if (w > 0) == (w_top > 0) else -mp.exp(d)
            for d, (_, w) in zip(distances, terms, strict=True)
        ]
        rest = mp.fsum(ratios[:top] + ratios[top + 1 :])
        if rest == -1:  # Too few digits.
            return [mpf(0)] * len(terms)
        log_total = mp.log1p(rest) if rest > -1 else mp.log(-1 - rest)
        return [d - log_total for d in distances]


def _log(fraction):
    return mpf(0) if fraction == 1 else mp.log(_mpf(fraction))


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
        logs = [(_mpf(x) + _log(abs(w)), w > 0) for x, w in terms]
        top = max(range(len(logs)), key=lambda i: logs[i][0])
        shift, positive = logs[top]
        # The exponent is x - x_top + log(w / w_top), which keeps its digits for huge x.
        x_top, w_top = _mpf(terms[top][0]), terms[top][1]
        ratios = [
            mp.exp(_mpf(x) - x_top) if w == w_top else mp.exp(_mpf(x) - x_top) * _mpf(w / w_top)
            for i, (x, w) in enumerate(terms)
            if i != top
        ]
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


def _mpf(number):
    return mpf(number.numerator) / mpf(number.denominator) if isinstance(number, Fraction) else mpf(number)


@remembered
def running(a, b=None, digits=60, where=None, logb=None, scale=1.0):
    """Return the `Exact` results of all running sums of a row without NaN and positive infinities.

    As many digits are carried as there are between the largest term and the smallest answer.
    """
    a = np.asarray(a, dtype=float)
    terms = {term.index: term for term in _kept(a, b, where, logb, scale) if term.exponent != -INF}
    results, total, size = [], mpf(0), mpf(0)
    with mp.workdps(digits):
        for place in range(a.size):
            if place in terms:
                term = mp.exp(_mpf(terms[place].exponent)) * mpf(terms[place].weight)
                total, size = total + term, size + abs(term)
            if total == 0:
                results.append(NOTHING)
            else:
                results.append(Exact(mp.log(abs(total)), float(mp.sign(total)), float(size / abs(total))))
    return results


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
    high, low = high.tolist(), low.tolist()
    total = math.fsum(high)
    remainder = math.fsum([-total, *high, *low])  # what rounding the total took away
    return (mpf(total) + mpf(remainder)) * mpf(2) ** exponent


def _long_shares(a, b, where, logb, scale):
    a, b, where, logb = np.broadcast_arrays(
        *(default if x is None else x for x, default in ((a, 0.0), (b, 1.0), (where, True), (logb, 0.0)))
    )
    keep = where & (b != 0) & (logb != -INF)
    softmax, log_softmax = np.where(keep, 0, np.longdouble(0)), np.full(a.shape, -INF, np.longdouble)
    keep = keep & (a != -INF)
    a, b, logb = (x[keep].astype(np.longdouble) for x in (a, b, logb))
    # The exponents, each as a sum of two.
    high, low = _two_product(a, np.longdouble(scale))
    high, lost = _two_sum(high, logb)
    low = low + lost
    top = np.argmax(high + np.log(np.abs(b)))
    difference, lost = _two_sum(high, -high[top])
    lost += low - low[top]
    with np.errstate(under="ignore"):
        terms = np.exp(difference) * (1 + lost) * (b / b[top])
    rest = np.append(terms[:top], terms[top + 1 :]).sum()
    softmax[keep] = terms / (1 + rest)
    # log(b / b[top]), with the powers of two apart: the large parts of it and of the exponents may cancel.
    fraction, exponent = np.frexp(np.abs(b))
    exponent = (exponent - exponent[top]).astype(np.longdouble)
    difference, lost_too = _two_sum(difference, exponent * LN2_HIGH)
    small = lost + lost_too + exponent * LN2_LOW + np.log(fraction / fraction[top])
    with np.errstate(invalid="ignore"):
        log_total = np.log1p(rest) if rest > -1 else np.log(-1 - rest)
        log_softmax[keep] = np.where(softmax[keep] < 0, np.nan, difference + (small - log_total))
    return softmax, log_softmax, float(np.abs(terms).sum() / np.abs(1 + rest))


# 44 bits: times an exponent of 12 bits it is exact.
LN2_HIGH = np.longdouble(math.ldexp(math.floor(math.ldexp(math.log(2), 44)), -44))
with mp.workdps(60):
    LN2_LOW = np.longdouble(float(mp.log(2) - mpf(float(LN2_HIGH))))


def _two_sum(x, y):
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)


def _two_product(x, y):
    product = x * y
    (x_high, x_low), (y_high, y_low) = _split(x), _split(y)
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


def _split(x):
    big = x * np.longdouble(2**32 + 1)
    high = big - (big - x)
    return high, x - high


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


class Rounded(NamedTuple):
    """An array of exact numbers, as what `ulp_errors` needs to know of them."""

    near: np.ndarray  # in double
    ulp: np.ndarray
    residual: np.ndarray  # what `near` lacks, in ulp


def near(exact, dtype):
    """Return the `Rounded` form of an array of exact numbers."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"), mp.workdps(60):
        rounded = exact.astype(float).astype(dtype).astype(float)
        exponent = np.frexp(np.where(np.isfinite(rounded), rounded, 1))[1] - 1
        # Just below a power of two, the ulp is that of the smaller numbers.
        exponent = exponent - (np.abs(exact) < np.ldexp(1.0, exponent)).astype(int)
        ulp = np.ldexp(1.0, np.maximum(exponent, info.minexp) - info.nmant)
        residual = np.where(np.isfinite(rounded), (exact - rounded) / ulp, 0).astype(float)
    return Rounded(rounded, ulp, residual)


def ulp_errors(got, rounded):
    """Return |got - exact| of each element in units in the last place of the exact number."""
    got = np.asarray(got, dtype=float)
    same = (got == rounded.near) | (np.isnan(got) & np.isnan(rounded.near))
    with np.errstate(all="ignore"):
        errors = np.abs((got - rounded.near) / rounded.ulp - rounded.residual)
    errors = np.where(same, np.abs(rounded.residual), errors)
    return np.where(np.isnan(errors), INF, errors)


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
