"""Makes the polynomial coefficients of src/scalar/coefficients.ts: Chebyshev interpolants at 60 digits, and fits in float32.

Usage: python3 conformance/coefficients.py > src/scalar/coefficients.ts
"""

import struct

from mpmath import mp, mpf, cos, erf, erfc, exp, expm1, findroot, log, log1p, lu_solve, matrix, ncdf, npdf, pi, quad, sqrt, nstr

mp.dps = 60


def chebyshev(f, low, high, degree):
    """Coefficients c0.. of the interpolating polynomial in x on [low, high], lowest power first."""
    n = degree + 1
    nodes = [cos(pi * (k + mpf(1) / 2) / n) for k in range(n)]
    values = [f((high - low) / 2 * u + (high + low) / 2) for u in nodes]
    series = [2 / mpf(n) * sum(values[k] * cos(pi * j * (k + mpf(1) / 2) / n) for k in range(n)) for j in range(n)]
    series[0] /= 2
    polynomials = [[mpf(1)], [mpf(0), mpf(1)]]
    while len(polynomials) < n:
        doubled = [mpf(0)] + [2 * c for c in polynomials[-1]]
        for i, c in enumerate(polynomials[-2]):
            doubled[i] -= c
        polynomials.append(doubled)
    in_u = [mpf(0)] * n
    for weight, polynomial in zip(series, polynomials):
        for i, c in enumerate(polynomial):
            in_u[i] += weight * c
    # u = scale * x + shift
    scale, shift = 2 / (high - low), -(high + low) / (high - low)
    result = [mpf(0)] * n
    power = [mpf(1)]
    for c in in_u:
        for i, p in enumerate(power):
            result[i] += c * p
        grown = [mpf(0)] * (len(power) + 1)
        for i, p in enumerate(power):
            grown[i] += p * shift
            grown[i + 1] += p * scale
        power = grown
    return result


def relative_error(f, coefficients, low, high, count=400):
    worst = mpf(0)
    for i in range(count + 1):
        x = low + (high - low) * i / count
        y = sum(c * x**j for j, c in enumerate(coefficients))
        t = f(x)
        worst = max(worst, abs(y / t - 1))
    return worst


def float32(x):
    return mpf(struct.unpack('f', struct.pack('f', float(x)))[0])


def rounded(f, low, high, degree):
    """As chebyshev, by least squares of the relative error, in float32: the later coefficients make up for the rounding of
    the first four."""
    nodes = [(high - low) / 2 * cos(pi * (k + mpf(1) / 2) / 80) + (high + low) / 2 for k in range(80)]
    values = [f(s) for s in nodes]
    known = []
    while True:
        left = range(len(known), degree + 1)
        rest = [1 - sum(c * s**i for i, c in enumerate(known)) / y for s, y in zip(nodes, values)]
        found = lu_solve(matrix([[s**i / y for i in left] for s, y in zip(nodes, values)]), matrix(rest))
        if len(known) == 4:
            return known + [float32(c) for c in found]
        known.append(float32(found[0]))


def mills(z):
    if z < 25:
        return sqrt(pi / 2) * exp(z * z / 2) * erfc(z / sqrt(2))
    return quad(lambda t: exp(-z * t - t * t / 2), [0, 5 / z, 40 / z, 200 / z])


def limit(f, value):
    return lambda x: value if abs(x) < mpf(10) ** -18 else f(x)


half_log2 = log(2) / 2 * mpf('1.0001')
third = (sqrt(2) - 1) / (sqrt(2) + 1)
tables = [
    (
        'expm1Tail',
        '(exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2',
        limit(lambda r: (expm1(r) - r) / r**2, mpf(1) / 2),
        -half_log2,
        half_log2,
        8,
    ),
    (
        'logTail',
        '(log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for s^2 <= ((sqrt(2) - 1) / (sqrt(2) + 1))^2',
        limit(lambda w: (log1p(sqrt(w)) - log1p(-sqrt(w)) - 2 * sqrt(w)) / sqrt(w) ** 3, mpf(2) / 3),
        mpf(0),
        third**2 * mpf('1.0001'),
        6,
    ),
    (
        'log1pTail',
        '(log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for s <= 1/3',
        limit(lambda w: (log1p(sqrt(w)) - log1p(-sqrt(w)) - 2 * sqrt(w)) / sqrt(w) ** 3, mpf(2) / 3),
        mpf(0),
        mpf(1) / 9,
        8,
    ),
    (
        'millsRatio',
        '(5 + z) Phi(-z) / phi(z) in q = (z - 5) / (z + 5), for 0 <= z <= 18; 2e-10 at 37.5',
        lambda q: (5 + 5 * (1 + q) / (1 - q)) * mills(5 * (1 + q) / (1 - q)),
        mpf(-1),
        mpf(13) / 23,
        17,
    ),
    (
        'expm1TailShort',
        'as expm1Tail, for float32',
        limit(lambda r: (expm1(r) - r) / r**2, mpf(1) / 2),
        -half_log2,
        half_log2,
        4,
    ),
    (
        'logTailShort',
        '(log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for s <= 1/3 and float32',
        limit(lambda w: (log1p(sqrt(w)) - log1p(-sqrt(w)) - 2 * sqrt(w)) / sqrt(w) ** 3, mpf(2) / 3),
        mpf(0),
        mpf(1) / 9,
        5,
    ),
    (
        'erfRatio',
        'erf(x) / x in x^2, for |x| <= 1',
        limit(lambda w: erf(sqrt(w)) / sqrt(w), 2 / sqrt(pi)),
        mpf(0),
        mpf(1),
        11,
    ),
]



def bent(a, centre, f):
    """f of z = a p / (1 - p) as a function of s = p - centre."""
    return lambda s: f(a * (s + centre) / (1 - s - centre))


def slope(z):
    return ncdf(-z) - z * npdf(z)


root = findroot(slope, 0.75)
short = [
    (
        'bellShort',
        '(exp(-r / 2) - 1) / r for |r| <= log(2) and float32',
        limit(lambda r: expm1(-r / 2) / r, -mpf(1) / 2),
        -2 * half_log2,
        2 * half_log2,
        5,
    ),
    (
        'normalTailShort',
        '(2.5 + z) Phi(-z) / exp(-z^2 / 2) in s = z / (2.5 + z) - 1/4, for 0 <= z <= 14.5 and float32',
        bent(mpf('2.5'), mpf('0.25'), lambda z: (mpf('2.5') + z) * mills(z) / sqrt(2 * pi)),
        mpf('-0.25'),
        mpf('14.5') / 17 - mpf('0.25'),
        9,
    ),
    (
        'geluSlopeShort',
        f'(Phi(-z) - z phi(z)) / ((r - z) exp(-z^2 / 2)) in s = z / (3 + z) - 7/16, r = {nstr(root, 20)}, for 0 <= z <= 14.5 and float32',
        bent(mpf(3), mpf(7) / 16, lambda z: slope(z) / (root - z) * exp(z * z / 2)),
        mpf(-7) / 16,
        mpf('14.5') / mpf('17.5') - mpf(7) / 16,
        8,
    ),
]

print('// Made by conformance/coefficients.py: lowest power first. Do not edit.')
for name, what, f, low, high, degree in tables + short:
    in_float32 = (name, what, f, low, high, degree) in short
    coefficients = rounded(f, low, high, degree) if in_float32 else [mpf(float(c)) for c in chebyshev(f, low, high, degree)]
    print(f'\n/** {what}; relative error {nstr(relative_error(f, coefficients, low, high), 2)}. */')
    print(f'export const {name}: readonly number[] = [')
    for c in coefficients:
        print(f'  {float(c)!r},')
    print('];')
