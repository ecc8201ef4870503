/* The head of every text of kernels. Few includes: they are compiled anew with each text. */
#include <stdint.h>
#include <string.h>

/* A launch's word as an address. */
#define ADDRESS(type, word) ((type *)(intptr_t)(word))

/* Single values: float_… and double_…. A sum of a product is rounded once where the processor does so in one instruction. */
#if defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__)
#define double_fma(a, b, c) __builtin_fma(a, b, c)
#define float_fma(a, b, c) __builtin_fmaf(a, b, c)
#else
#define double_fma(a, b, c) ((a) * (b) + (c))
#define float_fma(a, b, c) ((a) * (b) + (c))
#endif
/* c - a b */
#define double_fnma(a, b, c) double_fma(-(a), b, c)
#define float_fnma(a, b, c) float_fma(-(a), b, c)
#define double_sqrt(x) __builtin_sqrt(x)
#define float_sqrt(x) __builtin_sqrtf(x)
#define double_floor(x) __builtin_floor(x)
#define float_floor(x) __builtin_floorf(x)
#define double_rint(x) __builtin_rint(x)
#define float_rint(x) __builtin_rintf(x)
#define double_abs(x) __builtin_fabs(x)
#define float_abs(x) __builtin_fabsf(x)

#define DEFINE_SCALARS(type)                                                                                           \
  static inline type type##_less(type a, type b, type then, type otherwise) { return a < b ? then : otherwise; }       \
  static inline type type##_unordered(type a, type then, type otherwise) { return a != a ? then : otherwise; }         \
  /* The second operand where one is NaN. */                                                                           \
  static inline type type##_lesser(type a, type b) { return a < b ? a : b; }                                           \
  static inline type type##_greater(type a, type b) { return a > b ? a : b; }                                          \
  /* NaN where one operand is. */                                                                                      \
  static inline type type##_min(type a, type b) { return (a < b) | (a != a) ? a : b; }                                 \
  static inline type type##_max(type a, type b) { return (a > b) | (a != a) ? a : b; }
DEFINE_SCALARS(float)
DEFINE_SCALARS(double)

static inline int64_t double_bits(double x) { int64_t bits; memcpy(&bits, &x, 8); return bits; }
static inline double bits_double(int64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
static inline int32_t float_bits(float x) { int32_t bits; memcpy(&bits, &x, 4); return bits; }
static inline float bits_float(int32_t bits) { float x; memcpy(&x, &bits, 4); return x; }

/* 2^n of n + shift64 or n + shift32 (src/scalar): the biased exponent is in the lowest bits. */
static inline double double_power2(double shifted) { return bits_double((int64_t)((uint64_t)double_bits(shifted) << 52)); }
static inline float float_power2(float shifted) { return bits_float((int32_t)((uint32_t)float_bits(shifted) << 23)); }
/* x 2^n, rounded once. */
static inline float float_scale(float x, float n) {
  const float half = float_floor(n * 0.5f);
  return x * float_power2(half + 0x1.0000fep23f) * float_power2(n - half + 0x1.0000fep23f);
}
/* x 2^n of n + shiftDown32, rounded once. */
static inline float float_scale_down(float x, float shifted) { return x * float_power2(shifted) * 0x1p-64f; }
/* For a b that is neither small nor large. */
#define double_ratio(a, b) ((a) / (b))

/* floor(log2(x)), and x / 2^floor(log2(x)), of a positive, normal x. */
static inline double double_exponent(double x) {
  return bits_double((double_bits(x) >> 52) | 0x4330000000000000) - 0x1.00000000003ffp52;
}
static inline double double_mantissa(double x) {
  return bits_double((double_bits(x) & 0x000fffffffffffff) | 0x3ff0000000000000);
}

/*
 * Vectors as wide as the processor's: `floats`, and `doubles` of half as many elements. Operators work on them as they
 * are; the functions are floats_… and doubles_…. Where the compiler has no builtin for one, it is made of operators.
 */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define FLOATS (VECTOR_BYTES / 4)
#define DOUBLES (VECTOR_BYTES / 8)
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(VECTOR_BYTES)));
typedef double doubles __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t floats_bits __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t doubles_bits __attribute__((vector_size(VECTOR_BYTES)));
typedef float half_floats __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef int32_t half_ints __attribute__((vector_size(VECTOR_BYTES / 2)));

/* Compilers name the processor's instructions as they like. */
#if defined(__has_builtin)
#define HAS(builtin) __has_builtin(builtin)
#else
#define HAS(builtin) 0
#endif

#if !defined(__clang__) && VECTOR_BYTES == 64 && HAS(__builtin_ia32_vfmaddps512_mask) && \
    HAS(__builtin_ia32_blendmps_512_mask) && HAS(__builtin_ia32_scalefps512_mask) && HAS(__builtin_ia32_rcp14pd512_mask)
#define HAS_BUILTINS
#define floats_fma(a, b, c) ((floats)__builtin_ia32_vfmaddps512_mask(a, b, c, 0xffff, 4))
#define doubles_fma(a, b, c) ((doubles)__builtin_ia32_vfmaddpd512_mask(a, b, c, 0xff, 4))
#define floats_fnma(a, b, c) ((floats)__builtin_ia32_vfnmaddps512_mask(a, b, c, 0xffff, 4))
#define doubles_fnma(a, b, c) ((doubles)__builtin_ia32_vfnmaddpd512_mask(a, b, c, 0xff, 4))
/* The second operand where one is NaN. */
#define floats_lesser(a, b) ((floats)__builtin_ia32_minps512_mask(a, b, (floats){0}, 0xffff, 4))
#define doubles_lesser(a, b) ((doubles)__builtin_ia32_minpd512_mask(a, b, (doubles){0}, 0xff, 4))
#define floats_greater(a, b) ((floats)__builtin_ia32_maxps512_mask(a, b, (floats){0}, 0xffff, 4))
#define doubles_greater(a, b) ((doubles)__builtin_ia32_maxpd512_mask(a, b, (doubles){0}, 0xff, 4))
#define floats_less(a, b, then, otherwise)                                                                             \
  ((floats)__builtin_ia32_blendmps_512_mask(otherwise, then, __builtin_ia32_cmpps512_mask(a, b, 17, 0xffff, 4)))
#define doubles_less(a, b, then, otherwise)                                                                            \
  ((doubles)__builtin_ia32_blendmpd_512_mask(otherwise, then, __builtin_ia32_cmppd512_mask(a, b, 17, 0xff, 4)))
/* The second where the first is NaN. */
#define floats_unordered(a, then, otherwise)                                                                           \
  ((floats)__builtin_ia32_blendmps_512_mask(otherwise, then, __builtin_ia32_cmpps512_mask(a, a, 3, 0xffff, 4)))
#define doubles_unordered(a, then, otherwise)                                                                          \
  ((doubles)__builtin_ia32_blendmpd_512_mask(otherwise, then, __builtin_ia32_cmppd512_mask(a, a, 3, 0xff, 4)))
#define floats_sqrt(a) ((floats)__builtin_ia32_sqrtps512_mask(a, (floats){0}, 0xffff, 4))
#define doubles_sqrt(a) ((doubles)__builtin_ia32_sqrtpd512_mask(a, (doubles){0}, 0xff, 4))
#define floats_floor(a) ((floats)__builtin_ia32_rndscaleps_mask(a, 9, (floats){0}, 0xffff, 4))
#define doubles_floor(a) ((doubles)__builtin_ia32_rndscalepd_mask(a, 9, (doubles){0}, 0xff, 4))
#define floats_rint(a) ((floats)__builtin_ia32_rndscaleps_mask(a, 8, (floats){0}, 0xffff, 4))
#define doubles_rint(a) ((doubles)__builtin_ia32_rndscalepd_mask(a, 8, (doubles){0}, 0xff, 4))
#define doubles_from(a) ((doubles)__builtin_ia32_cvtps2pd512_mask(a, (doubles){0}, 0xff, 4))
#define doubles_from_int(a) ((doubles)__builtin_ia32_cvtdq2pd512_mask(a, (doubles){0}, 0xff))
#elif !defined(__clang__) && VECTOR_BYTES == 32 && HAS(__builtin_ia32_vfmaddps256) && \
    HAS(__builtin_ia32_blendvps256) && HAS(__builtin_ia32_roundps256)
#define HAS_BUILTINS
#define floats_fma(a, b, c) ((floats)__builtin_ia32_vfmaddps256(a, b, c))
#define doubles_fma(a, b, c) ((doubles)__builtin_ia32_vfmaddpd256(a, b, c))
#define floats_fnma(a, b, c) floats_fma(-(a), b, c)
#define doubles_fnma(a, b, c) doubles_fma(-(a), b, c)
#define floats_lesser(a, b) ((floats)__builtin_ia32_minps256(a, b))
#define doubles_lesser(a, b) ((doubles)__builtin_ia32_minpd256(a, b))
#define floats_greater(a, b) ((floats)__builtin_ia32_maxps256(a, b))
#define doubles_greater(a, b) ((doubles)__builtin_ia32_maxpd256(a, b))
#define floats_less(a, b, then, otherwise)                                                                             \
  ((floats)__builtin_ia32_blendvps256(otherwise, then, __builtin_ia32_cmpps256(a, b, 17)))
#define doubles_less(a, b, then, otherwise)                                                                            \
  ((doubles)__builtin_ia32_blendvpd256(otherwise, then, __builtin_ia32_cmppd256(a, b, 17)))
#define floats_unordered(a, then, otherwise)                                                                           \
  ((floats)__builtin_ia32_blendvps256(otherwise, then, __builtin_ia32_cmpps256(a, a, 3)))
#define doubles_unordered(a, then, otherwise)                                                                          \
  ((doubles)__builtin_ia32_blendvpd256(otherwise, then, __builtin_ia32_cmppd256(a, a, 3)))
#define floats_sqrt(a) ((floats)__builtin_ia32_sqrtps256(a))
#define doubles_sqrt(a) ((doubles)__builtin_ia32_sqrtpd256(a))
#define floats_floor(a) ((floats)__builtin_ia32_roundps256(a, 9))
#define doubles_floor(a) ((doubles)__builtin_ia32_roundpd256(a, 9))
#define floats_rint(a) ((floats)__builtin_ia32_roundps256(a, 8))
#define doubles_rint(a) ((doubles)__builtin_ia32_roundpd256(a, 8))
#define doubles_from(a) ((doubles)__builtin_ia32_cvtps2pd256(a))
#define doubles_from_int(a) ((doubles)__builtin_ia32_cvtdq2pd256(a))
#endif

#if defined(__clang__)
#define CONTRACTED _Pragma("clang fp contract(fast)")
#else
#define CONTRACTED
#endif

/* `large` has 1 as its last place: adding it rounds to an integer. */
#define DEFINE_VECTORS(vectors, scalar, bits, root, large)                                                             \
  INLINE vectors vectors##_all(scalar x) { return x - (vectors){0}; }                                                  \
  INLINE vectors vectors##_choose(bits mask, vectors then, vectors otherwise) {                                        \
    return (vectors)(((bits)then & mask) | ((bits)otherwise & ~mask));                                                 \
  }                                                                                                                    \
  INLINE vectors vectors##_abs(vectors x) { return (vectors)((bits)x & ~(bits)vectors##_all(-0x0p0)); }
#define DEFINE_BY_OPERATORS(vectors, scalar, bits, root, large)                                                        \
  INLINE vectors vectors##_fma(vectors a, vectors b, vectors c) {                                                      \
    CONTRACTED                                                                                                         \
    return a * b + c;                                                                                                  \
  }                                                                                                                    \
  INLINE vectors vectors##_fnma(vectors a, vectors b, vectors c) {                                                     \
    CONTRACTED                                                                                                         \
    return c - a * b;                                                                                                  \
  }                                                                                                                    \
  INLINE vectors vectors##_lesser(vectors a, vectors b) { return vectors##_choose(a < b, a, b); }                      \
  INLINE vectors vectors##_greater(vectors a, vectors b) { return vectors##_choose(a > b, a, b); }                     \
  INLINE vectors vectors##_less(vectors a, vectors b, vectors then, vectors otherwise) {                               \
    return vectors##_choose(a < b, then, otherwise);                                                                   \
  }                                                                                                                    \
  INLINE vectors vectors##_unordered(vectors a, vectors then, vectors otherwise) {                                     \
    return vectors##_choose(a != a, then, otherwise);                                                                  \
  }                                                                                                                    \
  INLINE vectors vectors##_sqrt(vectors x) {                                                                           \
    for (int i = 0; i < (int)(VECTOR_BYTES / sizeof(scalar)); i++) x[i] = root(x[i]);                                  \
    return x;                                                                                                          \
  }                                                                                                                    \
  INLINE vectors vectors##_rint(vectors x) {                                                                           \
    const vectors size = vectors##_abs(x), sum = size + large, whole = sum - large;                                    \
    return vectors##_choose(size < large, vectors##_choose(x < 0, -whole, whole), x);                                  \
  }                                                                                                                    \
  INLINE vectors vectors##_floor(vectors x) {                                                                          \
    const vectors whole = vectors##_rint(x);                                                                           \
    return vectors##_choose(whole > x, whole - 1, whole);                                                              \
  }
DEFINE_VECTORS(floats, float, floats_bits, __builtin_sqrtf, 0x1p23f)
DEFINE_VECTORS(doubles, double, doubles_bits, __builtin_sqrt, 0x1p52)
#ifndef HAS_BUILTINS
DEFINE_BY_OPERATORS(floats, float, floats_bits, __builtin_sqrtf, 0x1p23f)
DEFINE_BY_OPERATORS(doubles, double, doubles_bits, __builtin_sqrt, 0x1p52)
#define doubles_from(a) __builtin_convertvector(a, doubles)
#define doubles_from_int(a) __builtin_convertvector(a, doubles)
#endif

/* NaN where one operand is NaN; where one cannot be, it comes first in floats_lesser. */
#define DEFINE_EXTREMA(vectors)                                                                                        \
  INLINE vectors vectors##_min(vectors a, vectors b) { return vectors##_unordered(a, a, vectors##_lesser(a, b)); }     \
  INLINE vectors vectors##_max(vectors a, vectors b) { return vectors##_unordered(a, a, vectors##_greater(a, b)); }
DEFINE_EXTREMA(floats)
DEFINE_EXTREMA(doubles)

INLINE doubles doubles_power2(doubles shifted) { return (doubles)((doubles_bits)shifted << 52); }
INLINE floats floats_power2(floats shifted) { return (floats)((floats_bits)shifted << 23); }
#if defined(HAS_BUILTINS) && VECTOR_BYTES == 64
#define floats_scale(x, n) ((floats)__builtin_ia32_scalefps512_mask(x, n, (floats){0}, 0xffff, 4))
#define floats_scale_down(x, shifted) floats_scale(x, shifted - floats_all(0x1.80017ep23f))
/* By an estimate of 14 bits and two steps of Newton's, each of which doubles them. */
INLINE doubles doubles_ratio(doubles a, doubles b) {
  const doubles one = doubles_all(1);
  doubles inverse = (doubles)__builtin_ia32_rcp14pd512_mask(b, (doubles){0}, 0xff);
  inverse = doubles_fma(inverse, doubles_fnma(b, inverse, one), inverse);
  return a * doubles_fma(inverse, doubles_fnma(b, inverse, one), inverse);
}
#else
INLINE floats floats_scale(floats x, floats n) {
  const floats half = floats_floor(n * 0.5f);
  return x * floats_power2(half + 0x1.0000fep23f) * floats_power2(n - half + 0x1.0000fep23f);
}
INLINE floats floats_scale_down(floats x, floats shifted) { return x * floats_power2(shifted) * 0x1p-64f; }
INLINE doubles doubles_ratio(doubles a, doubles b) { return a / b; }
#endif
INLINE doubles doubles_exponent(doubles x) {
  typedef uint64_t unsigned_bits __attribute__((vector_size(VECTOR_BYTES)));
  return (doubles)(((unsigned_bits)x >> 52) | 0x4330000000000000) - 0x1.00000000003ffp52;
}
INLINE doubles doubles_mantissa(doubles x) {
  return (doubles)(((doubles_bits)x & 0x000fffffffffffff) | 0x3ff0000000000000);
}

typedef floats unaligned_floats __attribute__((aligned(4), may_alias));
typedef half_floats unaligned_half_floats __attribute__((aligned(4), may_alias));
typedef half_ints unaligned_half_ints __attribute__((aligned(4), may_alias));
INLINE floats floats_load(const float *p) { return *(const unaligned_floats *)p; }
INLINE void floats_store(float *p, floats x) { *(unaligned_floats *)p = x; }
INLINE doubles doubles_load(const float *p) {
  return doubles_from(*(const unaligned_half_floats *)p);
}
INLINE void doubles_store(float *p, doubles x) {
  *(unaligned_half_floats *)p = __builtin_convertvector(x, half_floats);
}
/* To memory past the caches, where the processor can; p is aligned to what is written. */
#if HAS(__builtin_nontemporal_store)
#define stream_floats(p, x) __builtin_nontemporal_store(x, (floats *)(p))
#define stream_half(p, x) __builtin_nontemporal_store(x, (half_floats *)(p))
#elif VECTOR_BYTES == 64 && HAS(__builtin_ia32_movntps512) && HAS(__builtin_ia32_movntps256)
#define stream_floats __builtin_ia32_movntps512
#define stream_half __builtin_ia32_movntps256
#elif VECTOR_BYTES == 32 && HAS(__builtin_ia32_movntps256) && HAS(__builtin_ia32_movntps)
#define stream_floats __builtin_ia32_movntps256
#define stream_half __builtin_ia32_movntps
#elif VECTOR_BYTES == 16 && HAS(__builtin_ia32_movntps)
#define stream_floats __builtin_ia32_movntps
#define stream_half(p, x) *(unaligned_half_floats *)(p) = x
#else
#define stream_floats floats_store
#define stream_half(p, x) *(unaligned_half_floats *)(p) = x
#endif
INLINE void floats_stream(float *p, floats x) { stream_floats(p, x); }
INLINE void doubles_stream(float *p, doubles x) { stream_half(p, __builtin_convertvector(x, half_floats)); }
/* What was streamed is there before what is written later. */
#if HAS(__builtin_ia32_sfence)
#define END_STREAM __builtin_ia32_sfence
#else
#define END_STREAM() ((void)0)
#endif

INLINE doubles doubles_load_int(const int32_t *p) {
  return doubles_from_int(*(const unaligned_half_ints *)p);
}
/* Saturating; NaN gives 0. */
INLINE void doubles_store_int(int32_t *p, doubles x) {
  const doubles bounded = doubles_lesser(doubles_all(0x1.fffffffcp30), doubles_greater(doubles_all(-0x1p31), x));
  *(unaligned_half_ints *)p = __builtin_convertvector(doubles_unordered(x, doubles_all(0), bounded), half_ints);
}
