"""Exact values and derivatives: forward-mode dual numbers over mpmath, with precision raised until the digits stand still.

A formula is written once, from its definition; its derivative follows by the chain rule, so no derivative is typed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpmath import mp, mpf

DIGITS = (60, 120, 240, 480, 960)
NEGLIGIBLE = mpf(10) ** -300
AGREEMENT = mpf(10) ** -30
# Stands for infinity: far beyond every float, so that a value at it shows its limit.
FAR = 1000
LIMIT_IS_INFINITE = mpf(10) ** 300

Number = "Dual | mpf | int | float"


class Dual:
    """A value and its gradient with respect to the inputs of the formula."""

    __slots__ = ("gradient", "value")

    def __init__(self, value: mpf, gradient: tuple[mpf, ...]) -> None:
        self.value = value
        self.gradient = gradient

    def chain(self, value: mpf, slope: mpf) -> Dual:
        return Dual(value, tuple(slope * g for g in self.gradient))

    def lift(self, other: Number) -> Dual:
        if isinstance(other, Dual):
            return other
        return Dual(mpf(other), tuple(mpf(0) for _ in self.gradient))

    def __add__(self, other: Number) -> Dual:
        o = self.lift(other)
        return Dual(self.value + o.value, tuple(a + b for a, b in zip(self.gradient, o.gradient, strict=True)))

    def __neg__(self) -> Dual:
        return self.chain(-self.value, mpf(-1))

    def __sub__(self, other: Number) -> Dual:
        return self + -self.lift(other)

    def __rsub__(self, other: Number) -> Dual:
        return self.lift(other) - self

    def __mul__(self, other: Number) -> Dual:
        o = self.lift(other)
        pairs = zip(self.gradient, o.gradient, strict=True)
        return Dual(self.value * o.value, tuple(a * o.value + b * self.value for a, b in pairs))

    def __truediv__(self, other: Number) -> Dual:
        o = self.lift(other)
        return self * o.chain(1 / o.value, -1 / o.value**2)

    def __rtruediv__(self, other: Number) -> Dual:
        return self.lift(other) / self

    def __pow__(self, power: int) -> Dual:
        return self.chain(self.value**power, power * self.value ** (power - 1))

    def __lt__(self, other: Number) -> bool:
        return self.value < self.lift(other).value

    def __le__(self, other: Number) -> bool:
        return self.value <= self.lift(other).value

    def __gt__(self, other: Number) -> bool:
        return self.value > self.lift(other).value

    def __ge__(self, other: Number) -> bool:
        return self.value >= self.lift(other).value

    __radd__ = __add__
    __rmul__ = __mul__


def exp(x: Dual) -> Dual:
    e = mp.exp(x.value)
    return x.chain(e, e)


def expm1(x: Dual) -> Dual:
    return x.chain(mp.expm1(x.value), mp.exp(x.value))


def log1p(x: Dual) -> Dual:
    return x.chain(mp.log1p(x.value), 1 / (1 + x.value))


def log(x: Dual) -> Dual:
    return x.chain(mp.log(x.value), 1 / x.value)


def sqrt(x: Dual) -> Dual:
    root = mp.sqrt(x.value)
    return x.chain(root, 1 / (2 * root))


def tanh(x: Dual) -> Dual:
    return x.chain(mp.tanh(x.value), mp.sech(x.value) ** 2)


def erfc(x: Dual) -> Dual:
    # mpmath refuses huge arguments; from 1e6 on the tail is below 1e-400000000000.
    tail = mp.erfc(x.value) if abs(x.value) < 10**6 else mpf(0 if x.value > 0 else 2)
    return x.chain(tail, -2 / mp.sqrt(mp.pi) * mp.exp(-(x.value**2)))


Formula = Callable[..., "Dual | Sequence[Dual]"]


def _once(formula: Formula, inputs: Sequence[mpf]) -> list[mpf]:
    """The values of the formula, each followed by its gradient, at the present precision."""
    n = len(inputs)
    result = formula(*(Dual(v, tuple(mpf(int(i == j)) for j in range(n))) for i, v in enumerate(inputs)))
    duals = [result] if isinstance(result, Dual) else result
    return [part for dual in duals for part in (dual.value, *dual.gradient)]


def _settled(before: mpf, now: mpf, last: bool) -> bool:
    # Exact cancellation and total loss of digits both read 0 (or noise): only the last precision decides.
    if abs(now) < NEGLIGIBLE and (now == 0 or last):
        return last
    return abs(now - before) <= AGREEMENT * abs(now)


def evaluate(formula: Formula, inputs: Sequence[float]) -> list[mpf]:
    """Values and gradients at `inputs`; an infinite input gives the limit, a NaN gives NaN throughout."""
    infinite = any(abs(v) == float("inf") for v in inputs)
    before: list[mpf] = []
    for digits in DIGITS:
        with mp.workdps(digits):
            numbers = [mpf(10) ** FAR * (1 if v > 0 else -1) if abs(v) == float("inf") else mpf(v) for v in inputs]
            now = _once(formula, numbers)
            last = digits == DIGITS[-1]
            if before and all(_settled(b, n, last) for b, n in zip(before, now, strict=True)):
                return [_limit(v) for v in now] if infinite else now
            before = now
    raise ArithmeticError(f"no agreement at {DIGITS[-1]} digits for {inputs}: {[mp.nstr(v, 20) for v in before]}")


def _limit(value: mpf) -> mpf:
    if abs(value) > LIMIT_IS_INFINITE:
        return mpf("inf") if value > 0 else mpf("-inf")
    return mpf(0) if abs(value) < NEGLIGIBLE else value


def to_double(value: mpf) -> float:
    """The nearest double; magnitudes under 1e-300 become 0."""
    with mp.workprec(53):
        rounded = +value
    return 0.0 if abs(rounded) < NEGLIGIBLE else float(rounded)
