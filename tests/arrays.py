"""Generators: sizes around every width, layouts of equal values, values that hurt."""

import numpy as np

WIDTHS = [1, 2, 4, 8, 16, 32, 64, 128]
BLOCKS = {"float32": 4096, "float64": 2048}


def around(*widths):
    """Return each width with its neighbours and a tail: w-1, w, w+1, 3w+7."""
    return sorted({n for w in widths for n in (w - 1, w, w + 1, 3 * w + 7) if n > 0})


def block_sizes(dtype):
    """Return sizes around one, two and four blocks of a dtype."""
    block = BLOCKS[np.dtype(dtype).name]
    return [n for count in (1, 2, 4) for n in (count * block - 1, count * block, count * block + 1)]


SHORT = list(range(1, 20)) + [
    23,
    31,
    32,
    33,
    47,
    48,
    49,
    63,
    64,
    65,
    66,
    79,
    127,
    128,
    129,
    135,
    255,
    256,
    257,
]


# Layouts --------------------------------------------------------------------------------
# Each takes a C-contiguous array and returns a view of equal values and shape.


def _fortran(a):
    return np.asfortranarray(a)


def _every_second(a):
    wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), np.nan, a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def _every_third_row(a):
    tall = np.full((3 * a.shape[0], *a.shape[1:]), np.nan, a.dtype)
    tall[1::3] = a
    return tall[1::3]


def _reversed(a):
    return np.ascontiguousarray(a[..., ::-1])[..., ::-1]


def _reversed_all(a):
    turn = (slice(None, None, -1),) * a.ndim
    return np.ascontiguousarray(a[turn])[turn]


def _reversed_wide(a):
    return _every_second(np.ascontiguousarray(a[..., ::-1]))[..., ::-1]


def _byte_swapped(a):
    return a.astype(a.dtype.newbyteorder())


def _misaligned(a):
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    view = buffer[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _misaligned_swapped_reversed(a):
    return _reversed(_misaligned(_byte_swapped(a)))


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def _offset(a):
    """Start three elements behind an aligned address, surrounded by NaN."""
    buffer = np.full(a.size + 10, np.nan, a.dtype)
    view = buffer[3 : 3 + a.size].reshape(a.shape)
    view[...] = a
    return view


def _field(a):
    """Take one field of a packed record, which lies at odd addresses."""
    records = np.zeros(a.shape, np.dtype([("pad", "u1"), ("value", a.dtype)]))
    records["value"] = a
    return records["value"]


def _window(a):
    """Cut the array out of a larger one, on all sides."""
    big = np.full([n + 3 for n in a.shape], np.nan, a.dtype)
    inside = big[tuple(slice(1, 1 + n) for n in a.shape)]
    inside[...] = a
    return inside


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": _fortran,
    "every second element": _every_second,
    "every third row": _every_third_row,
    "reversed": _reversed,
    "reversed on all axes": _reversed_all,
    "reversed and every second": _reversed_wide,
    "byte-swapped": _byte_swapped,
    "misaligned": _misaligned,
    "misaligned, swapped and reversed": _misaligned_swapped_reversed,
    "read-only": _read_only,
    "offset": _offset,
    "field of a record": _field,
    "window": _window,
}


# Values ---------------------------------------------------------------------------------
# Each takes (rng, n, dtype) and returns one row.


def _normal(rng, n, dtype):
    return rng.standard_normal(n).astype(dtype)


def _normal_10(rng, n, dtype):
    return (10 * rng.standard_normal(n)).astype(dtype)


def _uniform(rng, n, dtype):
    return rng.uniform(-1, 1, n).astype(dtype)


def _wide(rng, n, dtype):
    return rng.uniform(-700, 700, n).astype(dtype)


def _sorted_up(rng, n, dtype):
    return np.sort(50 * rng.standard_normal(n)).astype(dtype)


def _sorted_down(rng, n, dtype):
    return np.sort(50 * rng.standard_normal(n))[::-1].astype(dtype)


def _slow_rise(rng, n, dtype):
    return np.linspace(0, 3, n).astype(dtype)


def _steep_rise(rng, n, dtype):
    return (5.0 * np.arange(n)).astype(dtype)


def _tied(rng, n, dtype):
    return np.full(n, rng.uniform(1, 9)).astype(dtype)


def _two_levels(rng, n, dtype):
    return rng.choice([3.25, 2.5], n).astype(dtype)


def _huge(rng, n, dtype):
    return (1e30 * rng.uniform(1, 2, n)).astype(dtype)


def _huge_negative(rng, n, dtype):
    return (-1e30 * rng.uniform(1, 2, n)).astype(dtype)


def _largest(rng, n, dtype):
    return np.where(rng.random(n) < 0.5, np.finfo(dtype).max, -np.finfo(dtype).max).astype(dtype)


def _tiny(rng, n, dtype):
    return (rng.uniform(-1, 1, n) * np.finfo(dtype).tiny).astype(dtype)


def _subnormal(rng, n, dtype):
    return (rng.integers(-9, 9, n) * np.finfo(dtype).smallest_subnormal).astype(dtype)


def _masked(rng, n, dtype):
    row = rng.standard_normal(n)
    row[rng.random(n) < 0.6] = -np.inf
    row[rng.integers(n)] = 1
    return row.astype(dtype)


def _first_is_minus_1e30(rng, n, dtype):
    row = 3 + rng.standard_normal(n)
    row[0] = -1e30 if n > 1 else 3
    return row.astype(dtype)


def _first_is_minus_inf(rng, n, dtype):
    row = 3 + rng.standard_normal(n)
    row[: n // 2] = -np.inf
    return row.astype(dtype)


def _last_is_large(rng, n, dtype):
    row = rng.standard_normal(n)
    row[-1] = 60
    return row.astype(dtype)


def _first_is_large(rng, n, dtype):
    row = rng.standard_normal(n)
    row[0] = 60
    return row.astype(dtype)


def _far_below_one(rng, n, dtype):
    """One large term beside many, each just below what it can feel."""
    row = np.full(n, 100 - (17.5 if np.dtype(dtype) == np.float32 else 37.5))
    row[rng.integers(n)] = 100
    return row.astype(dtype)


def _offset_1e6(rng, n, dtype):
    return (1e6 + rng.standard_normal(n)).astype(dtype)


def _offset_minus_1e6(rng, n, dtype):
    return (-1e6 + rng.standard_normal(n)).astype(dtype)


def _drifting(rng, n, dtype):
    return np.cumsum(rng.standard_normal(n)).astype(dtype)


def _heavy_tailed(rng, n, dtype):
    return np.clip(rng.standard_cauchy(n), -1e6, 1e6).astype(dtype)


def _saw(rng, n, dtype):
    """Climb by more than a block's shift can bear, again and again."""
    return (100.0 * (np.arange(n) % 17) - 40 * (np.arange(n) % 5) + rng.random(n)).astype(dtype)


def _below_zero(rng, n, dtype):
    """Answers between -1 and 4 at most lengths."""
    return rng.uniform(-20, 0, n).astype(dtype)


def _spread(rng, n, dtype):
    """Too far apart for any few elements to tell where the largest one is."""
    return rng.normal(-500, 300, n).astype(dtype)


def _late_peak(rng, n, dtype):
    """The first sixteen elements close together, and far below all others."""
    return (np.where(np.arange(n) < 16, -100, -2 - np.log(n)) + rng.standard_normal(n)).astype(dtype)


VALUES = {
    "normal": _normal,
    "normal times 10": _normal_10,
    "uniform": _uniform,
    "wide": _wide,
    "sorted up": _sorted_up,
    "sorted down": _sorted_down,
    "slow rise": _slow_rise,
    "steep rise": _steep_rise,
    "tied": _tied,
    "two levels": _two_levels,
    "huge": _huge,
    "huge negative": _huge_negative,
    "largest": _largest,
    "tiny": _tiny,
    "subnormal": _subnormal,
    "masked": _masked,
    "first is -1e30": _first_is_minus_1e30,
    "first half is -inf": _first_is_minus_inf,
    "last is large": _last_is_large,
    "first is large": _first_is_large,
    "far below one": _far_below_one,
    "offset 1e6": _offset_1e6,
    "offset -1e6": _offset_minus_1e6,
    "drifting": _drifting,
    "heavy-tailed": _heavy_tailed,
    "saw": _saw,
    "uniform below zero": _below_zero,
    "spread": _spread,
    "late peak": _late_peak,
}


# One term dominates and lies near zero: shift + log1p(rest) must not lose the rest.


def _dominated(top, gap):
    def row(rng, n, dtype):
        a = -gap(np.dtype(dtype)) * rng.uniform(1, 1.5, n)
        a[rng.integers(n)] = top
        return a.astype(dtype)

    return row


DOMINATED = {
    "0 beside -40": _dominated(0, lambda dtype: 40),
    "0 beside just below eps": _dominated(0, lambda dtype: 17 if dtype == np.float32 else 37),
    "0 beside -10": _dominated(0, lambda dtype: 10),
    "0 beside -20": _dominated(0, lambda dtype: 20),
    "0 beside -80": _dominated(0, lambda dtype: 55),
    "1e-3 beside -20": _dominated(1e-3, lambda dtype: 20),
    "1e-8 beside -30": _dominated(1e-8, lambda dtype: 30),
    "1e-20 beside -30": _dominated(1e-20, lambda dtype: 30),
    "-1e-3 beside -40": _dominated(-1e-3, lambda dtype: 40),
    "-1e-30 beside -40": _dominated(-1e-30, lambda dtype: 40),
}

UNDERFLOW = {
    "0 beside the smallest normal": _dominated(0, lambda dtype: 60 if dtype == np.float32 else 480),
    "0 beside subnormal": _dominated(0, lambda dtype: 70 if dtype == np.float32 else 495),
    "0 beside the end of normal": _dominated(0, lambda dtype: 86 if dtype == np.float32 else 706),
}


# Weights: (rng, n, dtype) -> (a, b) -----------------------------------------------------


def _weights(draw, a=_normal):
    def pair(rng, n, dtype):
        return a(rng, n, dtype), np.asarray(draw(rng, n)).astype(dtype)

    return pair


def _balanced_weights(rng, n, dtype):
    """Weights over the whole range of the dtype, whose terms are of one size."""
    limit = 80 if np.dtype(dtype) == np.float32 else 690
    log_b = rng.uniform(-limit, limit, n)
    return (-log_b + 3 * limit + rng.standard_normal(n)).astype(dtype), np.exp(log_b).astype(dtype)


def _free_weights(rng, n, dtype):
    limit = 80 if np.dtype(dtype) == np.float32 else 690
    return (10 * rng.standard_normal(n)).astype(dtype), np.exp(rng.uniform(-limit, limit, n)).astype(dtype)


def _subnormal_weights(rng, n, dtype):
    step = np.finfo(dtype).smallest_subnormal
    return _normal(rng, n, dtype), (rng.integers(1, 99, n) * np.dtype(dtype).type(step)).astype(dtype)


def _largest_weights(rng, n, dtype):
    return _normal(rng, n, dtype), (rng.uniform(0.5, 1, n) * np.finfo(dtype).max).astype(dtype)


def _crossed_weights(rng, n, dtype):
    """The largest a carries the smallest weight."""
    a = np.sort(rng.uniform(0, 800, n))
    return a.astype(dtype), np.exp(np.linspace(80, -80, n)).astype(dtype)


WEIGHTED = {
    "uniform": _weights(lambda rng, n: rng.uniform(0.1, 1, n)),
    "counts": _weights(lambda rng, n: rng.integers(1, 1000, n)),
    "with zeros": _weights(lambda rng, n: rng.integers(0, 3, n) + (np.arange(n) == n // 2)),
    "lognormal": _weights(lambda rng, n: np.exp(5 * rng.standard_normal(n)), _normal_10),
    "on huge a": _weights(lambda rng, n: rng.uniform(0.1, 1, n), _huge),
    "on sorted a": _weights(lambda rng, n: rng.uniform(0.1, 1, n), _sorted_up),
    "on masked a": _weights(lambda rng, n: rng.uniform(0.1, 1, n), _masked),
    "balanced over the whole range": _balanced_weights,
    "free over the whole range": _free_weights,
    "subnormal": _subnormal_weights,
    "largest": _largest_weights,
    "crossed": _crossed_weights,
    "mostly positive": _weights(lambda rng, n: rng.uniform(-0.2, 1, n)),
    "negative": _weights(lambda rng, n: -rng.uniform(0.1, 1, n)),
    "signed": _weights(lambda rng, n: rng.uniform(-1, 1, n), _normal_10),
    "signed over the whole range": lambda rng, n, dtype: (
        lambda a, b: (a, (b * rng.choice([-1, 1], n)).astype(dtype))
    )(*_free_weights(rng, n, dtype)),
}


# The result is near zero, but its parts are not -----------------------------------------


def _normalised(spread):
    def row(rng, n, dtype):
        a = spread * rng.standard_normal(n)
        return (a - a.max() - np.log(np.exp(a - a.max()).sum())).astype(dtype)

    return row


def _equal_shares(rng, n, dtype):
    return np.full(n, -np.log(n)).astype(dtype)


ILL_CONDITIONED = {
    "log-probabilities": _normalised(1),
    "log-probabilities, spread 10": _normalised(10),
    "equal shares": _equal_shares,
}


# Shares that hurt: ties, winners, and shares that end below the smallest normal number.


def _one_above(gap):
    def row(rng, n, dtype):
        a = np.full(n, 3 - gap)
        a[rng.integers(n)] = 3
        return a.astype(dtype)

    return row


def _winner_by(gap):
    def row(rng, n, dtype):
        a = 3 * rng.standard_normal(n)
        a[rng.integers(n)] = gap
        return a.astype(dtype)

    return row


def _tied_winners(rng, n, dtype):
    return np.where(rng.random(n) < 0.5, 7.3, 7.3 - 3 * rng.random(n)).astype(dtype)


def _normal_100(rng, n, dtype):
    return (100 * rng.standard_normal(n)).astype(dtype)


def _offset_1e4(rng, n, dtype):
    return (1e4 + 10 * rng.standard_normal(n)).astype(dtype)


def _down_to_nothing(rng, n, dtype):
    a = rng.uniform(*((-104, -80) if np.dtype(dtype) == np.float32 else (-746, -700)), n)
    a[rng.integers(n)] = 0
    return a.astype(dtype)


def _every_scale(rng, n, dtype):
    return (rng.choice([-1, 1], n) * np.exp(rng.uniform(-20, 6, n))).astype(dtype)


SHARES = {
    "one half a unit above equals": _one_above(0.5),
    "one 20 above equals": _one_above(20),
    "one 1e-3 above equals": _one_above(1e-3),
    "winner by 60": _winner_by(60),
    "winner by 100": _winner_by(100),
    "winner by 720": _winner_by(720),
    "tied winners": _tied_winners,
    "normal times 100": _normal_100,
    "offset 1e4": _offset_1e4,
    "down to nothing": _down_to_nothing,
    "every scale": _every_scale,
}

# Whatever a row of logits may hold.
LOGITS = {**VALUES, **DOMINATED, **UNDERFLOW, **ILL_CONDITIONED, **SHARES}
