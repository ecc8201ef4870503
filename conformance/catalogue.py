"""The activations, written from their papers' definitions; the side of a kink that `<` or `<=` takes is its derivative there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exact import Dual, erfc, exp, expm1, log, log1p, sqrt, tanh
from inputs import float32
from mpmath import mp, mpf


@dataclass(frozen=True)
class Activation:
    name: str
    formula: Callable[..., Dual]
    parameters: Mapping[str, float] = field(default_factory=dict)
    learned: Sequence[str] = ()
    kinks: Sequence[float] = ()
    # Inputs left out: there the result hangs on how a parameter is rounded.
    ambiguous: Sequence[float] = ()
    grid: str = "full"


@dataclass(frozen=True)
class Gate:
    name: str
    formula: Callable[..., Dual]
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    name: str
    formula: Callable[..., Sequence[Dual]]


def constant(x: Dual, value: float | str | mpf) -> Dual:
    return x.lift(mpf(value))


def sigmoid(x: Dual) -> Dual:
    return 1 / (1 + exp(-x))


def softplus(x: Dual, beta: float = 1) -> Dual:
    return log1p(exp(x * beta)) / beta


def normal_cdf(z: Dual) -> Dual:
    return erfc(-z / mp.sqrt(2)) / 2


def clip(x: Dual, lower: float, upper: float) -> Dual:
    """Strict: at its bounds the derivative is 0."""
    if x <= lower:
        return constant(x, lower)
    return constant(x, upper) if x >= upper else x


def relu(x: Dual) -> Dual:
    return x if x > 0 else constant(x, 0)


def leaky(x: Dual, slope: Dual | float) -> Dual:
    return x if x > 0 else x * slope


def elu(x: Dual, alpha: float | mpf) -> Dual:
    return x if x > 0 else expm1(x) * alpha


def celu(x: Dual, alpha: float) -> Dual:
    return x if x > 0 else expm1(x / alpha) * alpha


def selu(x: Dual) -> Dual:
    # Klambauer et al. 2017, appendix 1: the fixed point of mean 0 and variance 1, in closed form.
    e, root, half = mp.e, mp.sqrt(mp.e), mp.erfc(1 / mp.sqrt(2))
    alpha = -mp.sqrt(2 / mp.pi) / (half * root - 1)
    scale = (1 - half * root) * mp.sqrt(2 * mp.pi)
    scale /= mp.sqrt(2 * mp.erfc(mp.sqrt(2)) * e**2 + mp.pi * half**2 * e - 2 * (2 + mp.pi) * half * root + mp.pi + 2)
    return elu(x, alpha) * scale


def gelu(x: Dual) -> Dual:
    return x * normal_cdf(x)


def gelu_tanh(x: Dual) -> Dual:
    return x * (1 + tanh((x + x**3 * mpf("0.044715")) * mp.sqrt(2 / mp.pi))) / 2


def gelu10(x: Dual) -> Dual:
    # The exact gelu(10) is 10 - 7.6e-23, which rounds to the clip point in float32 and float64: x = 10 counts as clipped.
    return constant(x, 10) if x >= 10 else gelu(x)


def swish(x: Dual, beta: Dual | float) -> Dual:
    return x * sigmoid(x * beta)


def hard_sigmoid(x: Dual) -> Dual:
    return x / 6 + mpf(1) / 2 if -3 < x.value < 3 else constant(x, int(x >= 3))


def hard_swish(x: Dual) -> Dual:
    if x <= -3:
        return constant(x, 0)
    return x if x >= 3 else x * (x + 3) / 6


def soft_shrink(x: Dual, lambda_: float) -> Dual:
    if x > lambda_:
        return x - lambda_
    return x + lambda_ if x < -lambda_ else constant(x, 0)


def hard_shrink(x: Dual, lambda_: float) -> Dual:
    return x if x > lambda_ or x < -lambda_ else constant(x, 0)


def squareplus(x: Dual, b: float) -> Dual:
    return (x + sqrt(x**2 + b)) / 2


def sparse_plus(x: Dual) -> Dual:
    if x <= -1:
        return constant(x, 0)
    return x if x >= 1 else (x + 1) ** 2 / 4


def laplace(x: Dual, mu: float, sigma: float) -> Dual:
    return normal_cdf((x - mu) / sigma)


def xielu(x: Dual, alphaP: Dual, alphaN: Dual, beta: float, eps: float) -> Dual:
    if x > 0:
        return softplus(alphaP) * x**2 + x * beta
    held = x if x < eps else constant(x, eps)
    return (expm1(held) - x) * (softplus(alphaN) + beta) + x * beta


def step(x: Dual) -> Dual:
    return constant(x, int(x >= 0))


def sign(x: Dual) -> Dual:
    return constant(x, 1 if x >= 0 else -1)


def softsign(x: Dual) -> Dual:
    return x / (1 + x) if x >= 0 else x / (1 - x)


def threshold(x: Dual, threshold: float, value: float) -> Dual:
    return x if x > threshold else constant(x, value)


def rrelu(x: Dual, lower: float, upper: float) -> Dual:
    return leaky(x, (mpf(lower) + mpf(upper)) / 2)


# Learned parameters live in float32 tensors: their values here are float32 numbers.
XIELU = {
    "alphaP": float32(float(mp.log(mp.expm1(mpf("0.8"))))),
    "alphaN": float32(float(mp.log(mp.expm1(mpf("0.3"))))),
    "beta": 0.5,
    "eps": -1e-6,
}
SMALL_SWISH = {"beta": 0.375}

ACTIVATIONS = [
    Activation("step", step),
    Activation("sign", sign),
    Activation("identity", lambda x: x * 1),
    Activation("relu", relu),
    Activation("relu6", lambda x: clip(x, 0, 6), kinks=[6]),
    Activation("leakyRelu", leaky, {"slope": 0.01}),
    Activation("leakyRelu", leaky, {"slope": 0.2}, grid="short"),
    Activation("prelu", leaky, {"slope": 0.25}, learned=["slope"]),
    Activation("prelu", leaky, {"slope": -0.5}, learned=["slope"], grid="short"),
    Activation("rrelu", rrelu, {"lower": 1 / 8, "upper": 1 / 3}, grid="short"),
    Activation("elu", elu, {"alpha": 1.0}),
    Activation("elu", elu, {"alpha": 0.3}, grid="short"),
    Activation("celu", celu, {"alpha": 1.0}, grid="short"),
    Activation("celu", celu, {"alpha": 2.5}),
    Activation("selu", selu),
    Activation("gelu", gelu),
    Activation("geluTanh", gelu_tanh),
    Activation("quickGelu", lambda x: swish(x, mpf("1.702"))),
    Activation("gelu10", gelu10, kinks=[10], grid="short"),
    Activation("silu", lambda x: swish(x, 1)),
    Activation("swish", swish, {"beta": 1.0}, learned=["beta"]),
    Activation("swish", swish, SMALL_SWISH, learned=["beta"], grid="short"),
    Activation("mish", lambda x: x * tanh(softplus(x))),
    Activation("softplus", softplus, {"beta": 1.0}, kinks=[20]),
    Activation("softplus", softplus, {"beta": 3.0}, kinks=[20 / 3], grid="short"),
    Activation("softsign", softsign),
    Activation("sigmoid", sigmoid),
    Activation("tanh", tanh),
    Activation("logSigmoid", lambda x: -softplus(-x)),
    Activation("hardSigmoid", hard_sigmoid, kinks=[-3, 3]),
    Activation("hardTanh", clip, {"lower": -1.0, "upper": 1.0}, kinks=[-1, 1]),
    Activation("hardTanh", clip, {"lower": -2.0, "upper": 0.25}, kinks=[-2, 0.25], grid="short"),
    Activation("hardSwish", hard_swish, kinks=[-3, 3]),
    Activation("tanhShrink", lambda x: x - tanh(x)),
    Activation("softShrink", soft_shrink, {"lambda": 0.5}, kinks=[-0.5, 0.5]),
    Activation("hardShrink", hard_shrink, {"lambda": 0.5}, kinks=[-0.5, 0.5]),
    Activation("relu2", lambda x: x**2 if x > 0 else constant(x, 0)),
    Activation("squareplus", squareplus, {"b": 4.0}),
    Activation("squareplus", squareplus, {"b": 0.25}, grid="short"),
    Activation("sparsePlus", sparse_plus, kinks=[-1, 1]),
    Activation("laplace", laplace, {"mu": 0.707107, "sigma": 0.282095}),
    # A device that keeps eps in float32 meets a tie at float32(eps), one that keeps it in float64 does not.
    Activation("xielu", xielu, XIELU, ["alphaP", "alphaN"], kinks=[XIELU["eps"]], ambiguous=[float32(XIELU["eps"])]),
    Activation("sqrtSoftplus", lambda x: sqrt(softplus(x))),
    Activation("threshold", threshold, {"threshold": 0.5, "value": -2.0}, kinks=[0.5], grid="short"),
    Activation("thresholdedRelu", lambda x, alpha: threshold(x, alpha, 0), {"alpha": 1.0}, kinks=[1], grid="short"),
]


def clamped_swiglu(gate: Dual, value: Dual, alpha: float, limit: float) -> Dual:
    held = constant(gate, limit) if gate >= limit else gate
    return swish(held, alpha) * (clip(value, -limit, limit) + 1)


def swiglu(gate: Dual, value: Dual, beta: float) -> Dual:
    return swish(gate, beta) * value


GATES = [
    Gate("glu", lambda gate, value: sigmoid(gate) * value),
    Gate("bilinear", lambda gate, value: gate * value),
    Gate("reglu", lambda gate, value: relu(gate) * value),
    Gate("geglu", lambda gate, value: gelu(gate) * value),
    Gate("gegluTanh", lambda gate, value: gelu_tanh(gate) * value),
    Gate("swiglu", swiglu, {"beta": 1.0}),
    Gate("swiglu", swiglu, {"beta": 1.702}),
    Gate("swiglu", swiglu, {"beta": 0.0}),
    Gate("drelu", lambda gate, value: relu(gate) * relu(value)),
    Gate("clampedSwiglu", clamped_swiglu, {"alpha": 1.702, "limit": 7.0}),
]


def total(terms: Sequence[Dual]) -> Dual:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def softmax(*x: Dual) -> list[Dual]:
    weights = [exp(v) for v in x]
    whole = total(weights)
    return [w / whole for w in weights]


def log_softmax(*x: Dual) -> list[Dual]:
    whole = log(total([exp(v) for v in x]))
    return [v - whole for v in x]


ROWS = [
    Row("softmax", softmax),
    Row("softmin", lambda *x: softmax(*(-v for v in x))),
    Row("logSoftmax", log_softmax),
    Row("solu", lambda *x: [v * p for v, p in zip(x, softmax(*x), strict=True)]),
]
