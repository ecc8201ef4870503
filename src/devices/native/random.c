/* Threefry-2x32 with 20 rounds, whose constants are given, for NAME and NORMAL (1: Box and Muller, 0: uniform). */
#ifndef SLUICE_THREEFRY
#define SLUICE_THREEFRY
enum { THREEFRY_LANES = 32 };

static inline uint32_t threefry_rotate(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

/* Both words of the blocks from `first` on, a multiple of the lanes, so that they share the counter's upper word. */
static inline void threefry(uint32_t k0, uint32_t k1, uint64_t first, uint32_t *restrict a, uint32_t *restrict b) {
  const uint32_t k2 = k0 ^ k1 ^ THREEFRY_PARITY, low = (uint32_t)first + k0, high = (uint32_t)(first >> 32) + k1;
  for (int i = 0; i < THREEFRY_LANES; i++) {
    uint32_t x = low + (uint32_t)i, y = high;
#define ROUND(bits) x += y, y = threefry_rotate(y, bits) ^ x;
    THREEFRY_EVEN(ROUND) x += k1, y += k2 + 1;
    THREEFRY_ODD(ROUND) x += k2, y += k0 + 2;
    THREEFRY_EVEN(ROUND) x += k0, y += k1 + 3;
    THREEFRY_ODD(ROUND) x += k1, y += k2 + 4;
    THREEFRY_EVEN(ROUND) x += k2, y += k0 + 5;
#undef ROUND
#undef EVEN
#undef ODD
    a[i] = x;
    b[i] = y;
  }
}

/* The upper 24 bits, in [0, 1). */
static inline float threefry_uniform(uint32_t word) { return (float)(int32_t)(word >> 8) * 0x1p-24f; }

/* cos(2 pi u) for u = k 2^-24: the quarter turn is taken off exactly. */
static inline double normal_cos(double u) {
  const double q = __builtin_floor(4 * u + 0.5), r = (4 * u - q) * 1.5707963267948966, z = r * r;
  double c = -1.0 / 87178291200;
  c = double_fma(c, z, 1.0 / 479001600);
  c = double_fma(c, z, -1.0 / 3628800);
  c = double_fma(c, z, 1.0 / 40320);
  c = double_fma(c, z, -1.0 / 720);
  c = double_fma(c, z, 1.0 / 24);
  c = double_fma(c, z, -0.5);
  c = double_fma(c, z, 1);
  double s = -1.0 / 1307674368000;
  s = double_fma(s, z, 1.0 / 6227020800);
  s = double_fma(s, z, -1.0 / 39916800);
  s = double_fma(s, z, 1.0 / 362880);
  s = double_fma(s, z, -1.0 / 5040);
  s = double_fma(s, z, 1.0 / 120);
  s = double_fma(s, z, -1.0 / 6);
  s = double_fma(s * z, r, r);
  const double even = q == 2 ? -c : c, odd = q == 1 ? -s : s;
  return q == 1 || q == 3 ? odd : even;
}
#endif

/* An item is 1024 numbers, the last one fewer. */
void NAME(const double *args, int64_t begin, int64_t end, char *scratch) {
  float *output = ADDRESS(float, args[0]);
  const int64_t count = (int64_t)args[1];
  const uint32_t k0 = (uint32_t)(int64_t)args[2], k1 = (uint32_t)(int64_t)args[3];
  const int64_t last = end * NUMBERS_PER_ITEM < count ? end * NUMBERS_PER_ITEM : count;
  const int step = NORMAL ? THREEFRY_LANES : 2 * THREEFRY_LANES;
  for (int64_t at = begin * NUMBERS_PER_ITEM; at < last; at += step) {
    uint32_t a[THREEFRY_LANES], b[THREEFRY_LANES];
    float numbers[2 * THREEFRY_LANES];
    threefry(k0, k1, (uint64_t)(NORMAL ? at : at / 2), a, b);
#if NORMAL
    for (int i = 0; i < THREEFRY_LANES; i++) {
      const double radius = __builtin_sqrt(-2 * normal_log(1 - (double)threefry_uniform(a[i])));
      numbers[i] = (float)(radius * normal_cos(threefry_uniform(b[i])));
    }
#else
    for (int i = 0; i < THREEFRY_LANES; i++) {
      numbers[2 * i] = threefry_uniform(a[i]);
      numbers[2 * i + 1] = threefry_uniform(b[i]);
    }
#endif
    const int64_t rest = last - at;
    if (rest >= step) memcpy(output + at, numbers, sizeof(float) * (size_t)step);
    else memcpy(output + at, numbers, sizeof(float) * (size_t)rest);
  }
  (void)scratch;
}
#undef NAME
#undef NORMAL
