/* The head of every text of kernels. Few includes: they are compiled anew with each text. */
#include <stdint.h>
#include <string.h>

/* A launch's word as an address. */
#define ADDRESS(type, word) ((type *)(intptr_t)(word))

/* Rounded once where the processor does so in one instruction. */
#if defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__)
#define sluice_fma(a, b, c) __builtin_fma(a, b, c)
#define sluice_fmaf(a, b, c) __builtin_fmaf(a, b, c)
#else
#define sluice_fma(a, b, c) ((a) * (b) + (c))
#define sluice_fmaf(a, b, c) ((a) * (b) + (c))
#endif

/* Ahead of a loop whose turns need nothing of each other, though an output may be one of the inputs. */
#if defined(__clang__)
#define SLUICE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define SLUICE_INDEPENDENT _Pragma("GCC ivdep")
#endif

static inline int64_t sluice_bits(double x) { int64_t bits; __builtin_memcpy(&bits, &x, 8); return bits; }
static inline double sluice_double(int64_t bits) { double x; __builtin_memcpy(&x, &bits, 8); return x; }
static inline int32_t sluice_bitsf(float x) { int32_t bits; __builtin_memcpy(&bits, &x, 4); return bits; }
static inline float sluice_float(int32_t bits) { float x; __builtin_memcpy(&x, &bits, 4); return x; }

/* 2^n for integral n, the result normal: adding 2^52 + 1023 leaves the biased exponent in the lowest bits. */
static inline double sluice_power2(double n) { return sluice_double((uint64_t)sluice_bits(n + 0x1.00000000003ffp52) << 52); }
static inline float sluice_power2f(float n) { return sluice_float((uint32_t)sluice_bitsf(n + 0x1.0000fep23f) << 23); }

/* floor(log2(x)), and x / 2^floor(log2(x)), of a positive, normal x. */
static inline double sluice_exponent(double x) {
  return sluice_double((int64_t)((uint64_t)sluice_bits(x) >> 52) | 0x4330000000000000) - 0x1.00000000003ffp52;
}
static inline double sluice_mantissa(double x) {
  return sluice_double((sluice_bits(x) & 0x000fffffffffffff) | 0x3ff0000000000000);
}

/* To an integer, saturating; NaN gives 0. */
static inline int32_t sluice_int(double x) {
  const double bounded = x < -0x1p31 ? -0x1p31 : x > 0x1.fffffffcp30 ? 0x1.fffffffcp30 : x;
  return (int32_t)(x == x ? bounded : 0.0);
}
