/* What row and column kernels are made of beside prelude.h. */
#ifndef SLUICE_ROWS
#define SLUICE_ROWS

/* One text for whole rows and for their ends, where compilers would make two of it. */
#if defined(__clang__)
#define PASS static __attribute__((noinline)) void
#else
#define PASS static __attribute__((noinline, noclone)) void
#endif

/*
 * Memory at the same place in its page as what is written next to it: processors compare addresses by these bits alone, and
 * take a load for one of what was just stored where it is not.
 */
_Static_assert(PAGE % 64 == 0 && ROW_STEP % FLOATS == 0, "a launch gives rows their scratch memory");
INLINE char *in_step(char *memory, const void *with) {
  return memory + (((uintptr_t)with - (uintptr_t)memory) & (PAGE - 64));
}

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
#define DEFINE_LANES(name, type, identity, combine, total)                                                             \
  INLINE void name##_start(type *lanes) { for (int k = 0; k < FLOATS; k++) lanes[k] = identity; }                      \
  INLINE void name##_merge(type *lanes, const type *others, int64_t n) {                                               \
    for (int64_t k = 0; k < n; k++) lanes[k] = combine(lanes[k], others[k]);                                           \
  }                                                                                                                    \
  INLINE double name##_end(const type *lanes) { return total; }
#define PLUS(a, b) ((a) + (b))
/* All lanes as one, in registers since short rows wait for it: halves of vectors, then halves of four. */
typedef float float4 __attribute__((vector_size(16)));
typedef double double4 __attribute__((vector_size(32)));
typedef int32_t int4 __attribute__((vector_size(16)));
#define PLUS_LANES(type, bits, a, b) ((a) + (b))
#define LARGER_LANES(type, bits, a, b)                                                                                 \
  ((type)((((b) < (a)) | ((a) != (a))) & (bits)(a) | ~(((b) < (a)) | ((a) != (a))) & (bits)(b)))
#if VECTOR_BYTES == 64
typedef float float8 __attribute__((vector_size(32)));
typedef int32_t int8 __attribute__((vector_size(32)));
#define FOUR_FLOATS(lanes, COMBINE)                                                                                    \
  const union { floats whole; float8 half[2]; } all = {floats_load(lanes)};                                            \
  const union { float8 whole; float4 half[2]; } eight = {COMBINE(float8, int8, all.half[0], all.half[1])};             \
  const float4 four = COMBINE(float4, int4, eight.half[0], eight.half[1])
#elif VECTOR_BYTES == 32
#define FOUR_FLOATS(lanes, COMBINE)                                                                                    \
  const union { floats whole; float4 half[2]; } all = {floats_load(lanes)};                                            \
  const float4 four = COMBINE(float4, int4, all.half[0], all.half[1])
#else
#define FOUR_FLOATS(lanes, COMBINE) const float4 four = floats_load(lanes)
#endif
INLINE double float_lanes_sum(const float *lanes) {
  FOUR_FLOATS(lanes, PLUS_LANES);
  return (four[0] + four[2]) + (four[1] + four[3]);
}
INLINE double float_lanes_max(const float *lanes) {
  FOUR_FLOATS(lanes, LARGER_LANES);
  return float_max(float_max(four[0], four[2]), float_max(four[1], four[3]));
}
INLINE double double_lanes_sum(const double *lanes) {
  const doubles all = doubles_get(lanes) + doubles_get(lanes + DOUBLES);
#if VECTOR_BYTES == 64
  const union { doubles whole; double4 half[2]; } eight = {all};
  const double4 four = eight.half[0] + eight.half[1];
  return (four[0] + four[2]) + (four[1] + four[3]);
#elif VECTOR_BYTES == 32
  return (all[0] + all[2]) + (all[1] + all[3]);
#else
  return all[0] + all[1];
#endif
}
INLINE double double_lanes_max(const double *lanes) {
  double largest = lanes[0];
  for (int k = 1; k < FLOATS; k++) largest = double_max(largest, lanes[k]);
  return largest;
}
DEFINE_LANES(sum, double, 0, PLUS, double_lanes_sum(lanes))
DEFINE_LANES(count, float, 0, PLUS, float_lanes_sum(lanes)) /* of zeros and ones */
DEFINE_LANES(max, double, -__builtin_inf(), double_max, double_lanes_max(lanes))
DEFINE_LANES(maxf, float, -__builtin_inff(), float_max, float_lanes_max(lanes))

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
INLINE floats floats_with_exponent(floats x) { return (floats)((floats_bits)x << 23); }
INLINE floats floats_with_exponents(floats a, floats b) { return (floats)(((floats_bits)a - (floats_bits)b) << 23); }

/* Step by step for several vectors: a processor that would wait for the last step of one goes on with the others. */
#define EACH _Pragma("GCC unroll 4") for (int k = 0; k < n; k++)
#define EACH_FMA(to, a, b, c) EACH to[k] = floats_fma(a, b, c);

/* exp(x + rest) / 2^m with x = a - b rounded, rest what the rounding took away, and m the integer in `whole`. */
INLINE void floats_exp_reduced(const int n, floats *p, const floats *a, const floats *b, const floats *x,
                               const floats *whole, const float bias) {
  floats m[SIDE_BY_SIDE], r[SIDE_BY_SIDE], back[SIDE_BY_SIDE], rest[SIDE_BY_SIDE];
  EACH m[k] = whole[k] - bias;
  EACH back[k] = x[k] - a[k];
  EACH_FMA(r, m[k], floats_all(-0x1.62e4p-1f), x[k])
  EACH rest[k] = x[k] - back[k];
  EACH back[k] = b[k] + back[k];
  EACH_FMA(r, m[k], floats_all(-0x1.7f7d1cp-20f), r[k])
  EACH rest[k] = a[k] - rest[k];
  EACH rest[k] = rest[k] - back[k];
  EACH r[k] = r[k] + rest[k];
  EACH_FMA(p, floats_all(0x1.a124f2p-13f), r[k], floats_all(0x1.6d4324p-10f))
  EACH_FMA(p, p[k], r[k], floats_all(0x1.1110ep-7f))
  EACH_FMA(p, p[k], r[k], floats_all(0x1.5554eap-5f))
  EACH_FMA(p, p[k], r[k], floats_all(0x1.555556p-3f))
  EACH_FMA(p, p[k], r[k], floats_all(0.5f))
  EACH p[k] = p[k] * r[k];
  EACH_FMA(p, p[k], r[k], r[k])
  EACH p[k] = p[k] + 1.0f;
}

/*
 * exp(a - b) in float32, within 1.1 ULP: what the subtraction rounds away joins the reduced argument. An infinite a - b
 * makes that NaN, but never counts: below -104 the result rounds to 0, above 89 to infinity. The lowest bits of a sum with
 * 1.5 2^23 are an integer: round(x log2(e)), and about half of it, as exponents. The power of two comes in two factors,
 * since 2^-150 and 2^128 are none of float32's normal numbers.
 */
INLINE void floats_exp_difference(const int n, floats *e, const floats *a, const floats *b) {
  const float bias = 0x1.8001fcp23f;
  floats x[SIDE_BY_SIDE], whole[SIDE_BY_SIDE], half[SIDE_BY_SIDE];
  EACH x[k] = a[k] - b[k];
  EACH_FMA(whole, x[k], floats_all(0x1.715476p0f), floats_all(bias))
  EACH_FMA(half, x[k], floats_all(0x1.715476p-1f), floats_all(0x1.8000fep23f))
  floats_exp_reduced(n, e, a, b, x, whole, bias);
  EACH e[k] = e[k] * floats_with_exponent(half[k]);
  EACH e[k] = e[k] * floats_with_exponents(whole[k], half[k]);
  EACH e[k] = floats_less(x[k], floats_all(-104.0f), floats_all(0.0f), e[k]);
  EACH e[k] = floats_less(floats_all(89.0f), x[k], floats_all(__builtin_inff()), e[k]);
}
/* The same where a is at most b: with 64 added to the exponent the power is normal. */
INLINE void floats_exp_below(const int n, floats *e, const floats *a, const floats *b) {
  const float bias = 0x1.80017ep23f;
  floats x[SIDE_BY_SIDE], whole[SIDE_BY_SIDE];
  EACH x[k] = a[k] - b[k];
  EACH_FMA(whole, x[k], floats_all(0x1.715476p0f), floats_all(bias))
  floats_exp_reduced(n, e, a, b, x, whole, bias);
  EACH e[k] = e[k] * floats_with_exponent(whole[k]);
  EACH e[k] = e[k] * 0x1p-64f;
  EACH e[k] = floats_less(x[k], floats_all(-104.0f), floats_all(0.0f), e[k]);
}
INLINE float float_exp_difference(float a, float b) {
  const floats as = floats_all(a), bs = floats_all(b);
  floats e;
  floats_exp_difference(1, &e, &as, &bs);
  return e[0];
}

#endif
