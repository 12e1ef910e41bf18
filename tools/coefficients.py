"""Prints lsecy/kernels/coefficients.h: every constant of the kernels, and where it comes from.

    python tools/coefficients.py > lsecy/kernels/coefficients.h

The polynomials are near-minimax: they interpolate at Chebyshev nodes, in 60 digits, the part of
the function that the kernel leaves to the polynomial, weighted so that the error of the whole
function is relative; then each coefficient is rounded once.  The error printed beside each set is
measured on the rounded coefficients, in exact arithmetic, over 4000 points.
"""

import struct

import mpmath as mp

mp.mp.dps = 60
LN2 = mp.log(2)


def to_float(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def rounders():
    return {"float": to_float, "double": float}


def leading_bits(x, bits):
    """x rounded to `bits` significant bits, so that a whole number of the spare bits times it is exact."""
    exponent = int(mp.floor(mp.log(abs(x), 2)))
    scale = mp.mpf(2) ** (bits - 1 - exponent)
    return mp.nint(x * scale) / scale


def interpolate(function, low, high, degree):
    """Coefficients, lowest first, of the polynomial through the Chebyshev nodes of [low, high]."""
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2))
        for k in range(degree + 1)
    ]
    rows = mp.matrix([[node**power for power in range(degree + 1)] for node in nodes])
    return list(mp.lu_solve(rows, mp.matrix([function(node) for node in nodes])))


def exp_tail(r):
    """(exp(r) - 1 - r) / r^2"""
    if abs(r) < mp.mpf(10) ** -12:
        return mp.mpf(1) / 2 + r / 6
    return (mp.exp(r) - 1 - r) / r**2


def log_tail(z):
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 with s = sqrt(z)"""
    if z < mp.mpf(10) ** -12:
        return mp.mpf(2) / 3 + 2 * z / 5
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3


def worst(error, low, high, points=4000):
    return max(abs(error(low + (high - low) * (k + mp.mpf(1) / 2) / points)) for k in range(points))


def polynomial(coefficients, x):
    return mp.polyval(list(reversed([mp.mpf(c) for c in coefficients])), x)


def show(name, kind, coefficients):
    values = ", ".join(c.hex() + ("f" if kind == "float" else "") for c in coefficients)
    print(f"static const {kind} {name}[] = {{{values}}};")


def exp_set(name, kind, reach, degree):
    tail = [rounders()[kind](c) for c in interpolate(exp_tail, -reach, reach, degree)]
    error = worst(lambda r: (1 + r + r**2 * polynomial(tail, r)) / mp.exp(r) - 1, -reach, reach)
    size = mp.nstr(mp.log(error, 2), 4)
    print(f"\n/* exp(r) = 1 + r + r^2 Q(r), |r| <= {mp.nstr(reach, 6)}: relative error 2^{size} */")
    show(name, kind, tail)


def short_set(name, kind, reach, degree):
    """exp(r) - 1 over r.  With the factor r the error of a line is next to the Chebyshev polynomial of degree 3."""
    # The two nodes of degree 1 are then those of degree 3 beside 0.
    wide = reach * mp.sqrt(1.5) if degree == 1 else reach
    tail = [rounders()[kind](c) for c in interpolate(lambda r: mp.expm1(r) / r, -wide, wide, degree)]
    error = worst(lambda r: (1 + r * polynomial(tail, r)) / mp.exp(r) - 1, -reach, reach)
    size = mp.nstr(mp.log(error, 2), 4)
    print(f"\n/* exp(r) = 1 + r Q(r), |r| <= {mp.nstr(reach, 6)}: relative error 2^{size} */")
    show(name, kind, tail)


def log_set(name, degree):
    high = mp.mpf("0.02944")  # of ((sqrt(2) - 1) / (sqrt(2) + 1))^2
    tail = [float(c) for c in interpolate(log_tail, mp.mpf(0), high, degree)]
    error = worst(lambda z: z * (polynomial(tail, z) - log_tail(z)) / 2, mp.mpf(0), high)
    size = mp.nstr(mp.log(error, 2), 4)
    print(
        f"\n/* log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2 <= {mp.nstr(high, 6)}: relative error 2^{size} */"
    )
    show(name, "double", tail)


def log1p_tail(r):
    """(log(1 + r) - r) / r^2"""
    if abs(r) < mp.mpf(10) ** -12:
        return -mp.mpf(1) / 2 + r / 3
    return (mp.log1p(r) - r) / r**2


def log1p_set(name, reach, degree):
    tail = [float(c) for c in interpolate(log1p_tail, -reach, reach, degree)]
    error = worst(lambda r: r + r**2 * polynomial(tail, r) - mp.log1p(r), -reach, reach)
    size = mp.nstr(mp.log(error, 2), 4)
    print(f"\n/* log(1 + r) = r + r^2 P(r), |r| <= {mp.nstr(reach, 6)}: absolute error 2^{size} */")
    show(name, "double", tail)


def below_set(name, kind, reach, degree):
    tail = [
        rounders()[kind](-c * (-1) ** k) for k, c in enumerate(interpolate(log1p_tail, -reach, reach, degree))
    ]
    error = worst(lambda u: u + u**2 * polynomial(tail, u) + mp.log1p(-u), -reach, reach)
    size = mp.nstr(mp.log(error, 2), 4)
    print(f"\n/* -log(1 - u) = u + u^2 Q(u), |u| <= {mp.nstr(reach, 6)}: absolute error 2^{size} */")
    show(name, kind, tail)


def next_inverse(c, kind, bits, digits):
    """A number next to 1 / c whose logarithm is right to 2^-digits in `bits` bits after the point."""
    near = mp.mpf(rounders()[kind](1 / c))
    # Neighbours' logarithms lie at all but equal distances, of which those of double may miss what is looked for.
    ulps = {"float": 1, "double": 4099}[kind]
    step = ulps * mp.mpf(2) ** (int(mp.floor(mp.log(near, 2))) - {"float": 23, "double": 52}[kind]) / near
    log, first = (int(mp.ldexp(x, 128)) for x in (mp.log(near), step))
    unit, close = 1 << 128 - bits, 1 << 128 - digits
    for k in range(1 << 22):
        d = first * ((k + 1) // 2) * (-1 if k % 2 else 1)
        if (log + d - (d**2 >> 129) + d**3 // (3 << 256) + close) % unit < 2 * close:
            return mp.mpf(rounders()[kind](near * (1 + mp.ldexp(d, -128))))


def show_inverses(name, kind, bits, digits):
    # The bias of exponents, so that bits of 2^e and above may be taken from the number and ln 2 need not know of it.
    bias = {"float": 127, "double": 1023}[kind]
    high = leading_bits(LN2, {"float": 14, "double": 38}[kind])
    inverses = [
        next_inverse(mp.mpf(24 + j) / 32 if j < 8 else mp.mpf(8 + j) / 16, kind, bits, digits)
        for j in range(16)
    ]
    logs = [mp.ldexp(mp.nint(mp.ldexp(-mp.log(x), bits)), -bits) for x in inverses]
    show(name, kind, [float(mp.ldexp(x, bias)) for x in inverses])
    show(f"{name}_LOG", kind, [float(x - bias * high) for x in logs])


def show_powers(name, kind, table, copies=1):
    powers = [mp.mpf(2) ** (mp.mpf(j) / table) for j in range(table)] * copies
    rounded = [rounders()[kind](power) for power in powers]
    show(name, kind, rounded)
    show(
        f"{name}_REST",
        kind,
        [rounders()[kind](power / near - 1) for power, near in zip(powers, rounded, strict=True)],
    )
    # In [1, 2) a mantissa's share of 1 / table is as much of the number, and of an exponent below.
    bits = {"float": ("<f", "<I", 23), "double": ("<d", "<Q", 52)}[kind]
    bare = [
        struct.unpack(bits[1], struct.pack(bits[0], near))[0] - (j % table << bits[2]) // table
        for j, near in enumerate(rounded)
    ]
    show(f"{name}_BARE", kind, [struct.unpack(bits[0], struct.pack(bits[1], b))[0] for b in bare])
    return powers


def main():
    print("/* Made by tools/coefficients.py, which says how; do not edit. */")
    print("#ifndef LSECY_COEFFICIENTS_H\n#define LSECY_COEFFICIENTS_H\n")
    print("/* ln 2 in two parts: k times the first is exact for whole |k| < 2^10 (float: 14 bits;")
    print(" * double: 38, for k in 16ths too). */")
    for kind, bits in (("float", 14), ("double", 38)):
        high = leading_bits(LN2, bits)
        suffix = "f" if kind == "float" else ""
        print(f"#define LN2_HIGH_{kind.upper()} {float(high).hex()}{suffix}")
        print(f"#define LN2_LOW_{kind.upper()} {rounders()[kind](LN2 - high).hex()}{suffix}")
        spare = {"float": 17, "double": 42}[kind]  # a bias of 127 (1023) times it is exact too
        print(f"#define LN2_LOW_SHORT_{kind.upper()} {float(leading_bits(LN2 - high, spare)).hex()}{suffix}")
    print("/* float(ln 2) / ln 2 - 1 */")
    print(f"#define LN2_EXCESS {float(mp.mpf(to_float(LN2)) / LN2 - 1).hex()}")
    exp_set("EXP_FLOAT", "float", LN2 / 2, 4)
    print("\n/* ln 2 in two full parts. */")
    for kind in ("float", "double"):
        high = rounders()[kind](LN2)
        suffix = "f" if kind == "float" else ""
        print(f"#define LN2_NEAREST_{kind.upper()} {high.hex()}{suffix}")
        print(f"#define LN2_REST_{kind.upper()} {rounders()[kind](LN2 - mp.mpf(high)).hex()}{suffix}")
    short_set("EXP_FLOAT_32", "float", LN2 / 64, 1)
    short_set("EXP_FLOAT_8_SHORT", "float", LN2 / 16, 2)
    short_set("EXP_DOUBLE_16_SHORT", "double", LN2 / 32, 5)
    short_set("EXP_DOUBLE_2_SHORT", "double", LN2 / 4, 8)
    exp_set("EXP_FLOAT_16", "float", LN2 / 32, 1)
    exp_set("EXP_FLOAT_8", "float", LN2 / 16, 2)
    exp_set("EXP_DOUBLE_2", "double", LN2 / 4, 8)
    exp_set("EXP_COARSE_16", "double", LN2 / 32, 2)
    exp_set("EXP_DOUBLE_16", "double", LN2 / 32, 4)
    exp_set("EXP_DOUBLE_16_WIDE", "double", LN2 / 16, 5)
    exp_set("EXP_PAIR_16", "double", LN2 / 32, 5)
    exp_set("EXP_COARSE", "double", LN2 / 2, 6)
    exp_set("EXP_DOUBLE", "double", LN2 / 2, 9)
    exp_set("EXP_PAIR", "double", LN2 / 2, 10)
    log_set("LOG_COARSE", 4)
    log_set("LOG_PAIR", 8)
    log_set("LOG_FAR", 6)
    log1p_set("LOG_NEAR", mp.mpf(1) / 32, 4)
    below_set("LOG_BELOW", "double", mp.mpf(1) / 32, 7)
    below_set("LOG_BELOW_FLOAT", "float", mp.mpf(1) / 32, 3)
    print(
        "\n/* i next to 1 / c, c = (24 + j) / 32 for j < 8, then (8 + j) / 16, times 2^127 (double 2^1023), and -log(i) less as"
    )
    print(" * many ln 2 (LN2_HIGH), of which 17 (double 42) bits after the point are all but nothing off */")
    show_inverses("INVERSES", "double", 42, 60)
    show_inverses("FLOAT_INVERSES", "float", 17, 31)
    print(
        "\n/* 2^(j / 16), j = 0 .. 15, and what rounding took from it: LOW of the whole, REST of 1;\n * BARE: its bits less j / 16 of an exponent */"
    )
    powers = show_powers("SIXTEENTHS", "double", 16)
    show("SIXTEENTHS_LOW", "double", [float(power - float(power)) for power in powers])
    print("\n/* The same for float, 2^(j / 8) and 2^(j / 32) */")
    show_powers("FLOAT_SIXTEENTHS", "float", 16)
    show_powers("FLOAT_EIGHTHS", "float", 8)
    show("FLOAT_THIRTYSECONDS", "float", [to_float(mp.mpf(2) ** (mp.mpf(j) / 32)) for j in range(32)])
    print("\n/* And 2^(j / 2), twice, to fill a vector */")
    show_powers("HALF_STEPS", "double", 2, copies=2)
    print("\n#endif")


if __name__ == "__main__":
    main()
