/* What row and column kernels are made of beside prelude.h. */
#ifndef SLUICE_ROWS
#define SLUICE_ROWS

/* Ahead of a loop whose turns need nothing of each other, though an output may be one of the inputs. */
#if defined(__clang__)
#define SLUICE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define SLUICE_INDEPENDENT _Pragma("GCC ivdep")
#endif

enum { SUM_LANES = 32 };

typedef float sluice_f4 __attribute__((vector_size(16)));
typedef float sluice_f8 __attribute__((vector_size(32)));
typedef float sluice_f16 __attribute__((vector_size(64)));
typedef int32_t sluice_i4 __attribute__((vector_size(16)));
typedef int32_t sluice_i8 __attribute__((vector_size(32)));
typedef int32_t sluice_i16 __attribute__((vector_size(64)));
typedef double sluice_d4 __attribute__((vector_size(32)));
typedef double sluice_d8 __attribute__((vector_size(64)));
typedef int64_t sluice_l4 __attribute__((vector_size(32)));
typedef int64_t sluice_l8 __attribute__((vector_size(64)));

/* Reductions in lanes: element i belongs to lane i modulo their number, and the lanes are joined in a fixed order. */
typedef struct { double lane[SUM_LANES]; } sluice_sum;
typedef struct { sluice_f16 lane[4]; float tail; } sluice_maxf;
typedef struct { sluice_d8 lane[4]; double tail; } sluice_max;

#define SLUICE_SUM(name, number) \
  static inline void name##_start(sluice_sum *s) { *s = (sluice_sum){{0}}; } \
  static inline void name(sluice_sum *to, const number *x, int64_t n) { \
    sluice_d8 lane[4]; \
    int64_t j = 0; \
    __builtin_memcpy(lane, to->lane, sizeof lane); \
    for (; j + SUM_LANES <= n; j += SUM_LANES) \
      for (int k = 0; k < 4; k++) { \
        const number *v = x + j + 8 * k; \
        lane[k] += (sluice_d8){v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]}; \
      } \
    __builtin_memcpy(to->lane, lane, sizeof lane); \
    for (int k = 0; k < n - j; k++) to->lane[k] += (double)x[j + k]; \
  } \
  static inline double name##_end(const sluice_sum *s) { \
    sluice_d8 lane[4]; \
    __builtin_memcpy(lane, s->lane, sizeof lane); \
    const union { sluice_d8 whole; sluice_d4 half[2]; } a = {(lane[0] + lane[1]) + (lane[2] + lane[3])}; \
    const sluice_d4 b = a.half[0] + a.half[1]; \
    return (b[0] + b[2]) + (b[1] + b[3]); \
  }
SLUICE_SUM(sluice_sum_floats, float)
SLUICE_SUM(sluice_sum_doubles, double)

/* The sum of zeros and ones. */
static inline void sluice_count_start(double *s) { *s = 0; }
static inline void sluice_count(double *to, const float *x, int64_t n) {
  int32_t count = 0;
  for (int64_t j = 0; j < n; j++) count += (int32_t)x[j];
  *to += (double)count;
}
static inline double sluice_count_end(const double *s) { return *s; }

/* The larger one, or the NaN; in vectors too, which C has no ternary for. */
#define SLUICE_LARGER(a, b) (((b) < (a)) | ((a) != (a)) ? (a) : (b))
#define SLUICE_KEEPS(mask, a, b) ((mask)((b) < (a)) | (mask)((a) != (a)))
#define SLUICE_LARGER_LANES(type, mask, a, b) \
  ((type)((SLUICE_KEEPS(mask, a, b) & (mask)(a)) | (~SLUICE_KEEPS(mask, a, b) & (mask)(b))))
#define SLUICE_MAX(name, state, number, vector, mask, width, half_vector, half_mask, infinity) \
  static inline void name##_start(state *s) { \
    for (int k = 0; k < 4; k++) s->lane[k] = (vector){0} - infinity; \
    s->tail = -infinity; \
  } \
  static inline void name(state *to, const number *x, int64_t n) { \
    state s = *to; \
    int64_t j = 0; \
    for (; j + 4 * width <= n; j += 4 * width) \
      for (int k = 0; k < 4; k++) { \
        vector v; \
        __builtin_memcpy(&v, x + j + k * width, sizeof v); \
        s.lane[k] = SLUICE_LARGER_LANES(vector, mask, s.lane[k], v); \
      } \
    for (; j + width <= n; j += width) { \
      vector v; \
      __builtin_memcpy(&v, x + j, sizeof v); \
      s.lane[0] = SLUICE_LARGER_LANES(vector, mask, s.lane[0], v); \
    } \
    for (; j < n; j++) s.tail = SLUICE_LARGER(s.tail, x[j]); \
    *to = s; \
  } \
  static inline half_vector name##_half(const state *s) { \
    const vector a = SLUICE_LARGER_LANES(vector, mask, s->lane[0], s->lane[1]); \
    const vector b = SLUICE_LARGER_LANES(vector, mask, s->lane[2], s->lane[3]); \
    const union { vector whole; half_vector half[2]; } c = {SLUICE_LARGER_LANES(vector, mask, a, b)}; \
    return SLUICE_LARGER_LANES(half_vector, half_mask, c.half[0], c.half[1]); \
  }
SLUICE_MAX(sluice_max_floats, sluice_maxf, float, sluice_f16, sluice_i16, 16, sluice_f8, sluice_i8, __builtin_inff())
SLUICE_MAX(sluice_max_doubles, sluice_max, double, sluice_d8, sluice_l8, 8, sluice_d4, sluice_l4, __builtin_inf())
static inline float sluice_max_floats_end(const sluice_maxf *s) {
  const union { sluice_f8 whole; sluice_f4 half[2]; } a = {sluice_max_floats_half(s)};
  const sluice_f4 b = SLUICE_LARGER_LANES(sluice_f4, sluice_i4, a.half[0], a.half[1]);
  const float c = SLUICE_LARGER(b[0], b[2]), d = SLUICE_LARGER(b[1], b[3]), e = SLUICE_LARGER(c, d);
  return SLUICE_LARGER(e, s->tail);
}
static inline double sluice_max_doubles_end(const sluice_max *s) {
  const sluice_d4 b = sluice_max_doubles_half(s);
  const double c = SLUICE_LARGER(b[0], b[2]), d = SLUICE_LARGER(b[1], b[3]), e = SLUICE_LARGER(c, d);
  return SLUICE_LARGER(e, s->tail);
}

/*
 * exp(a - b) in float32, within 1.1 ULP: what the subtraction rounds away joins the reduced argument. An infinite a - b
 * makes that NaN, but never counts: below -104 the result rounds to 0, above 89 to infinity.
 */
static inline float sluice_exp_reduced(float a, float b, float x, float n) {
  const float back = x - a, rest = (a - (x - back)) - (b + back);
  const float r = float_fma(n, -0x1.7f7d1cp-20f, float_fma(n, -0x1.62e4p-1f, x)) + rest;
  float p = 0x1.a124f2p-13f;
  p = float_fma(p, r, 0x1.6d4324p-10f);
  p = float_fma(p, r, 0x1.1110ep-7f);
  p = float_fma(p, r, 0x1.5554eap-5f);
  p = float_fma(p, r, 0x1.555556p-3f);
  p = float_fma(p, r, 0.5f);
  return float_fma(p * r, r, r) + 1.0f;
}
/* The lowest bits of the sums with 1.5 2^23 are integers: round(x log2(e)), and here about half of it, as biased exponents. */
static inline float sluice_exp_difference(float a, float b) {
  const float x = a - b;
  const float whole = float_fma(x, 0x1.715476p0f, 0x1.8001fcp23f), half = float_fma(x, 0x1.715476p-1f, 0x1.8000fep23f);
  const float p = sluice_exp_reduced(a, b, x, whole - 0x1.8001fcp23f);
  /* The power of two in two factors: 2^-150 and 2^128 are none of float32's normal numbers. */
  const uint32_t first = (uint32_t)float_bits(half), both = (uint32_t)float_bits(whole);
  const float result = p * bits_float((int32_t)(first << 23)) * bits_float((int32_t)((both - first) << 23));
  const float positive = x < -104.0f ? 0.0f : result;
  return 89.0f < x ? __builtin_inff() : positive;
}
/* The same where a is at most b: 64 more in the exponent keeps the power normal. */
static inline float sluice_exp_below(float a, float b) {
  const float x = a - b, whole = float_fma(x, 0x1.715476p0f, 0x1.80017ep23f);
  const float p = sluice_exp_reduced(a, b, x, whole - 0x1.80017ep23f);
  const float result = p * bits_float((int32_t)((uint32_t)float_bits(whole) << 23)) * 0x1p-64f;
  return x < -104.0f ? 0.0f : result;
}

#endif
