/**
 * The formula in float64 as C, by the C library's functions on vectors (glibc's libmvec, 4 ULP of float64) or single numbers, and the
 * comparison with it: some ten times as fast as JavaScript. What it finds worse than anything before is for others to confirm.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { processorFeatures } from '../../dist/devices/native/flags.js';
import { reachable } from '../../dist/scalar/expression.js';

const folder = fileURLToPath(new URL('../../.cache/', import.meta.url));

/** Primitives by functions of `helpers`; operands are the names of vectors. */
const calls = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  neg: (x) => `-${x}`,
  select: (a, b, then, otherwise) => `choose(${a} < ${b}, ${then}, ${otherwise})`,
  carryNan: (x, y) => `choose(${x} != ${x}, ${x}, ${y})`,
};

const helpers = `
#include <math.h>
#include <stdint.h>
#include <string.h>
typedef double vec __attribute__((vector_size(8 * W)));
typedef int64_t bits __attribute__((vector_size(8 * W)));
typedef float floats __attribute__((vector_size(4 * W)));
typedef float loose __attribute__((vector_size(4 * W), aligned(4), may_alias));
#define all(c) ((vec){0} + (c))
static inline vec choose(bits mask, vec a, vec b) { return (vec)((mask & (bits)a) | (~mask & (bits)b)); }
#define EACH(name, f) static inline vec v_##name(vec x) { for (int i = 0; i < W; i++) x[i] = f(x[i]); return x; }
EACH(sqrt, sqrt) EACH(floor, floor) EACH(round, rint)
#if MVEC
#define FAST_NAME(f) FAST_JOIN(PREFIX, f)
#define FAST_JOIN(prefix, f) FAST_JOINED(prefix, f)
#define FAST_JOINED(prefix, f) prefix##_##f
#define FAST(f) vec FAST_NAME(f)(vec); static inline vec m_##f(vec x) { return FAST_NAME(f)(x); }
FAST(exp) FAST(expm1) FAST(log) FAST(log1p) FAST(tanh) FAST(erf) FAST(erfc)
#else
#define FAST(f) static inline vec m_##f(vec x) { for (int i = 0; i < W; i++) x[i] = f(x[i]); return x; }
FAST(exp) FAST(expm1) FAST(log) FAST(log1p) FAST(tanh) FAST(erf) FAST(erfc)
#endif
static inline vec v_pow(vec x, vec y) { for (int i = 0; i < W; i++) x[i] = pow(x[i], y[i]); return x; }
static inline vec v_abs(vec x) { return (vec)((bits)x & INT64_MAX); }
static inline vec v_min(vec a, vec b) { return choose(a != a, a, choose((b != b) | (b < a), b, a)); }
static inline vec v_max(vec a, vec b) { return choose(a != a, a, choose((b != b) | (b > a), b, a)); }
static inline vec v_signum(vec x) { return choose(x < 0, all(-1), choose(x > 0, all(1), x)); }
/* Beyond, functions on vectors go on one number at a time, and float32 has long been at the limit. */
static inline vec within(vec x, double low, double high) { return v_max(v_min(x, all(high)), all(low)); }
static inline vec v_exp(vec x) { return m_exp(within(x, -700, 700)); }
static inline vec v_expm1(vec x) { return m_expm1(within(x, -700, 700)); }
static inline vec v_tanh(vec x) { return m_tanh(within(x, -30, 30)); }
static inline vec v_log(vec x) { return m_log(x); }
static inline vec v_log1p(vec x) { return m_log1p(x); }
static inline vec v_erf(vec x) { return m_erf(within(x, -10, 10)); }
static inline vec v_sigmoid(vec x) { const vec e = v_exp(-v_abs(x)); return choose(x < 0, e, all(1)) / (1 + e); }
static inline vec v_logisticPdf(vec x) { const vec e = v_exp(-v_abs(x)); return e / ((1 + e) * (1 + e)); }
static inline vec v_softplus(vec x) { return v_max(x, all(0)) + m_log1p(v_exp(-v_abs(x))); }
static inline vec v_normalCdf(vec x) { return 0.5 * m_erfc(within(x, -36, 36) * -0x1.6a09e667f3bcdp-1); }
static inline vec v_normalPdf(vec x) { const vec z = within(x, -37, 37); return m_exp(-0.5 * z * z) * 0x1.9884533d43651p-2; }
static inline vec v_geluValue(vec x) { return v_max(x, all(-800)) * v_normalCdf(x); }
static inline vec v_geluSlope(vec x) { return v_normalCdf(x) + within(x, -800, 800) * v_normalPdf(x); }
static inline vec v_siluSlope(vec x) { return v_sigmoid(x) + within(x, -800, 800) * v_logisticPdf(x); }
static inline vec v_tanhResidual(vec x) {
  const vec w = x * x;
  const vec series = 1. / 3 + w * (-2. / 15 + w * (17. / 315 + w * (-62. / 2835 + w * (1382. / 155925 - w * 21844 / 6081075))));
  return choose(w > 1. / 64, x - v_tanh(x), x * w * series);
}
static inline vec v_rootSum(vec u, vec b) {
  const vec root = v_sqrt(u * u + b);
  return choose(u < 0, b / (root - u), root + u);
}
/* The worst error so far and where, by lanes; a unit is the last place of the exact result, at least 2^-128. */
static inline void hold(const float *got, vec exact, bits at, vec *worst, bits *where, bits *nans) {
  loose value;
  memcpy(&value, got, sizeof value);
  const vec actual = __builtin_convertvector((floats)value, vec);
  const vec nearest = __builtin_convertvector(__builtin_convertvector(exact, floats), vec);
  const bits place = ((bits)exact >> 52) & 2047;
  const vec unit = v_max((vec)((place - 23) << 52), all(0x1p-128));
  const bits infinite = (v_abs(actual) == __builtin_inf()) | (v_abs(nearest) == __builtin_inf());
  const vec error = choose(infinite, choose(actual == nearest, all(0), all(__builtin_inf())), v_abs(actual - exact) / unit);
  const bits isWorse = error > *worst, isNan = (actual != actual) ^ (exact != exact);
  *worst = choose(isWorse, error, *worst);
  *where = (bits)choose(isWorse, (vec)at, (vec)*where);
  *nans -= isNan;
}
`;

function text({ inputs, scalars, outputs }, block) {
  const names = new Map();
  const lines = reachable(outputs).map((expression) => {
    const { node } = expression;
    const name = `t${names.size}`;
    names.set(expression, name);
    return `const vec ${name} = ${formula(node, names, inputs, scalars)};`;
  });
  return `${helpers}
/* found: the worst error, its index, and how many are NaN where they should not be or not where they should. */
void check(const float *inputs, const double *constants, const float *results, double limit, double *found) {
  vec worst = all(limit);
  bits step, where = {0}, nans = {0};
  for (int i = 0; i < W; i++) step[i] = i;
  for (int64_t i = 0; i < ${block}; i += W) {
    ${inputs.map((_, k) => `const vec x${k} = __builtin_convertvector((floats)*(const loose *)(inputs + ${k * block} + i), vec);`).join('\n    ')}
    ${lines.join('\n    ')}
    ${outputs.map((output, k) => `hold(results + ${k * block} + i, ${names.get(output)}, step + i, &worst, &where, &nans);`).join('\n    ')}
  }
  (void)constants;
  found[0] = limit; found[1] = found[2] = 0;
  for (int i = 0; i < W; i++) {
    if (worst[i] > found[0]) { found[0] = worst[i]; found[1] = (double)where[i]; }
    found[2] += (double)nans[i];
  }
}
`;
}

function formula(node, names, inputs, scalars) {
  if (node.kind === 'constant') return `all(${number(node.value)})`;
  if (node.kind === 'variable') {
    const place = inputs.indexOf(node.name);
    return place >= 0 ? `x${place}` : `all(constants[${scalars.indexOf(node.name)}])`;
  }
  if (node.kind !== 'apply') throw new Error(`no ${node.kind} is swept`);
  const operands = node.operands.map((operand) => names.get(operand));
  return calls[node.primitive]?.(...operands) ?? `v_${node.primitive}(${operands.join(', ')})`;
}

function number(value) {
  if (Number.isNaN(value)) return '__builtin_nan("")';
  if (!Number.isFinite(value)) return value > 0 ? '__builtin_inf()' : '-__builtin_inf()';
  return Object.is(value, -0) ? '-0.0' : value.toExponential(17);
}

const features = processorFeatures();
const hasVectors = process.platform === 'linux' && process.arch === 'x64' && features.includes('avx2');
const width = hasVectors ? (features.includes('avx512dq') ? 8 : 4) : 1;
const flags = [
  ...['-O2', '-shared', '-fPIC', '-fno-math-errno', '-ffp-contract=off', '-Wno-psabi', `-DW=${width}`],
  ...(hasVectors ? ['-march=native', '-DMVEC=1', `-DPREFIX=_ZGV${width === 8 ? 'eN8v' : 'dN4v'}`] : ['-DMVEC=0']),
];

/** What holds a block's results against the subject's formula: (inputs, results, limit) to {ulp, at, nans}. */
export function compileCheck(subject, block) {
  const code = text(subject, block);
  const name = createHash('sha256')
    .update([code, ...flags].join('\n'))
    .digest('hex')
    .slice(0, 16);
  const library = `${folder}truth-${name}.so`;
  mkdirSync(folder, { recursive: true });
  if (!existsSync(library)) {
    writeFileSync(`${folder}truth-${name}.c`, code);
    const libraries = hasVectors ? ['-lmvec', '-lm'] : ['-lm'];
    const { status, stderr } = spawnSync('cc', [...flags, `${folder}truth-${name}.c`, '-o', library, ...libraries], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`cc failed on ${subject.name}: ${stderr}`);
  }
  const koffi = createRequire(import.meta.url)('koffi');
  const check = koffi
    .load(library)
    .func(
      'void check(const float *inputs, const double *constants, const float *results, double limit, _Out_ double *found)',
    );
  const constants = Float64Array.from([...subject.values, 0]);
  const found = new Float64Array(3);
  return (inputs, results, limit) => {
    check(inputs, constants, results, limit, found);
    return { ulp: found[0], at: found[1], nans: found[2] };
  };
}
