/* What row and column kernels are made of beside prelude.h. */
#ifndef SLUICE_ROWS
#define SLUICE_ROWS

typedef doubles unaligned_doubles __attribute__((aligned(8), may_alias));
INLINE doubles doubles_get(const double *p) { return *(const unaligned_doubles *)p; }
INLINE void doubles_put(double *p, doubles x) { *(unaligned_doubles *)p = x; }
/* first, first + 1, … */
INLINE doubles doubles_from_position(double first) {
  doubles position;
  for (int k = 0; k < DOUBLES; k++) position[k] = k;
  return position + first;
}

/*
 * What collects a reduction has a lane for each element of a vector of floats: element i belongs to lane i modulo FLOATS,
 * and the lanes are joined in a fixed order.
 */
#define DEFINE_LANES(name, type, identity, combine)                                                                    \
  INLINE void name##_start(type *lanes) { for (int k = 0; k < FLOATS; k++) lanes[k] = identity; }                      \
  INLINE void name##_merge(type *lanes, const type *others, int64_t n) {                                               \
    for (int64_t k = 0; k < n; k++) lanes[k] = combine(lanes[k], others[k]);                                           \
  }                                                                                                                    \
  INLINE double name##_end(const type *lanes) {                                                                        \
    type left[FLOATS];                                                                                                 \
    memcpy(left, lanes, sizeof left);                                                                                  \
    for (int n = FLOATS / 2; n > 0; n /= 2)                                                                            \
      for (int k = 0; k < n; k++) left[k] = combine(left[k], left[k + n]);                                             \
    return left[0];                                                                                                    \
  }
#define PLUS(a, b) ((a) + (b))
DEFINE_LANES(sum, double, 0, PLUS)
DEFINE_LANES(count, float, 0, PLUS) /* of zeros and ones */
DEFINE_LANES(max, double, -__builtin_inf(), double_max)
DEFINE_LANES(maxf, float, -__builtin_inff(), float_max)

/* The sum and the largest of what lies in memory, four vectors side by side. */
static double sum_floats(const float *x, int64_t n) {
  doubles total[4] = {{0}};
  double lanes[FLOATS] = {0};
  int64_t j = 0;
  for (; j + 4 * DOUBLES <= n; j += 4 * DOUBLES)
    for (int k = 0; k < 4; k++) total[k] += doubles_load(x + j + k * DOUBLES);
  for (; j + DOUBLES <= n; j += DOUBLES) total[0] += doubles_load(x + j);
  for (int k = 0; k < n - j; k++) lanes[k] = (double)x[j + k];
  doubles_put(lanes, doubles_get(lanes) + ((total[0] + total[1]) + (total[2] + total[3])));
  return sum_end(lanes);
}
static float max_floats(const float *x, int64_t n) {
  floats largest[4];
  float lanes[FLOATS];
  int64_t j = 0;
  maxf_start(lanes);
  for (int k = 0; k < 4; k++) largest[k] = floats_load(lanes);
  for (; j + 4 * FLOATS <= n; j += 4 * FLOATS)
    for (int k = 0; k < 4; k++) largest[k] = floats_max(largest[k], floats_load(x + j + k * FLOATS));
  for (; j + FLOATS <= n; j += FLOATS) largest[0] = floats_max(largest[0], floats_load(x + j));
  for (int k = 0; k < n - j; k++) lanes[k] = x[j + k];
  largest[0] = floats_max(floats_max(largest[0], largest[1]), floats_max(largest[2], largest[3]));
  floats_store(lanes, floats_max(largest[0], floats_load(lanes)));
  return (float)maxf_end(lanes);
}

/* The number whose exponent, still biased, is the lowest bits of x; and of the difference of two. */
INLINE float float_with_exponent(float x) { return bits_float((int32_t)((uint32_t)float_bits(x) << 23)); }
INLINE floats floats_with_exponent(floats x) { return (floats)((floats_bits)x << 23); }
INLINE float float_with_exponents(float a, float b) {
  return bits_float((int32_t)(((uint32_t)float_bits(a) - (uint32_t)float_bits(b)) << 23));
}
INLINE floats floats_with_exponents(floats a, floats b) { return (floats)(((floats_bits)a - (floats_bits)b) << 23); }
#define float_all(x) (x)

/*
 * exp(a - b) in float32, within 1.1 ULP: what the subtraction rounds away joins the reduced argument. An infinite a - b
 * makes that NaN, but never counts: below -104 the result rounds to 0, above 89 to infinity.
 */
#define DEFINE_EXP(type)                                                                                               \
  INLINE type type##_exp_reduced(type a, type b, type x, type n) {                                                     \
    const type back = x - a, rest = (a - (x - back)) - (b + back);                                                     \
    const type high = type##_fma(n, type##_all(-0x1.62e4p-1f), x);                                                     \
    const type r = type##_fma(n, type##_all(-0x1.7f7d1cp-20f), high) + rest;                                           \
    type p = type##_fma(type##_all(0x1.a124f2p-13f), r, type##_all(0x1.6d4324p-10f));                                  \
    p = type##_fma(p, r, type##_all(0x1.1110ep-7f));                                                                   \
    p = type##_fma(p, r, type##_all(0x1.5554eap-5f));                                                                  \
    p = type##_fma(p, r, type##_all(0x1.555556p-3f));                                                                  \
    p = type##_fma(p, r, type##_all(0.5f));                                                                            \
    return type##_fma(p * r, r, r) + 1.0f;                                                                             \
  }                                                                                                                    \
  /* The lowest bits of a sum with 1.5 2^23 are an integer: round(x log2(e)), and about half of it, as exponents. The  \
   * power of two comes in two factors, since 2^-150 and 2^128 are none of float32's normal numbers. */                \
  INLINE type type##_exp_difference(type a, type b) {                                                                  \
    const type x = a - b;                                                                                              \
    const type whole = type##_fma(x, type##_all(0x1.715476p0f), type##_all(0x1.8001fcp23f));                           \
    const type half = type##_fma(x, type##_all(0x1.715476p-1f), type##_all(0x1.8000fep23f));                           \
    const type p = type##_exp_reduced(a, b, x, whole - 0x1.8001fcp23f);                                                \
    const type result = p * type##_with_exponent(half) * type##_with_exponents(whole, half);                           \
    const type positive = type##_less(x, type##_all(-104.0f), type##_all(0.0f), result);                               \
    return type##_less(type##_all(89.0f), x, type##_all(__builtin_inff()), positive);                                  \
  }                                                                                                                    \
  /* The same where a is at most b: with 64 added to the exponent the power is normal. */                              \
  INLINE type type##_exp_below(type a, type b) {                                                                       \
    const type x = a - b;                                                                                              \
    const type whole = type##_fma(x, type##_all(0x1.715476p0f), type##_all(0x1.80017ep23f));                           \
    const type p = type##_exp_reduced(a, b, x, whole - 0x1.80017ep23f);                                                \
    const type result = p * type##_with_exponent(whole) * 0x1p-64f;                                                    \
    return type##_less(x, type##_all(-104.0f), type##_all(0.0f), result);                                              \
  }
DEFINE_EXP(float)
DEFINE_EXP(floats)

#endif
