/* Vectors as wide as the processor's, and the register tile that products and attention are made of. */
#ifndef SLUICE_VECTORS
#define SLUICE_VECTORS
#if defined(__AVX512F__)
#define LANES 16
#define TILE_ROWS 14 /* times two vectors: 28 of 32 registers */
#define REGISTERS 28
#elif defined(__AVX__)
#define LANES 8
#define TILE_ROWS 6
#define REGISTERS 12
#elif defined(__aarch64__)
#define LANES 4
#define TILE_ROWS 12
#define REGISTERS 24
#else
#define LANES 4
#define TILE_ROWS 6
#define REGISTERS 12
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec x) { *(vec_unaligned *)p = x; }
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }
INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }

/* a * b + c, rounded once where the processor can. */
INLINE vec multiply_add(vec a, vec b, vec c) {
#if defined(__clang__)
#pragma clang fp contract(fast)
  return a * b + c;
#elif defined(__AVX512F__)
  return (vec)__builtin_ia32_vfmaddps512_mask(a, b, c, (unsigned short)-1, 4);
#elif defined(__FMA__) && LANES == 8
  return (vec)__builtin_ia32_vfmaddps256(a, b, c);
#elif defined(__aarch64__)
  return (vec)__builtin_aarch64_fmav4sf(a, b, c);
#else
  return a * b + c;
#endif
}

#define UNROLL _Pragma("GCC unroll 16")

/*
 * sums[r][v] += sum over i < depth of a[r * line + i * step] * b[i * b_step + v * LANES], in the order of i: the tile
 * stays in registers. Rows and vectors (4 at most) are constants where it is called, and so is one of line and step: 1.
 */
INLINE void multiply_tile(const int rows, const int vectors, const float *a, int64_t line, int64_t step, const float *b,
                          int64_t b_step, int64_t depth, vec sums[rows][vectors]) {
  for (int64_t i = 0; i < depth; i++) {
    vec right[4];
    UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + i * b_step + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const vec left = splat(a[r * line + i * step]);
      UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = multiply_add(left, right[v], sums[r][v]);
    }
  }
}

#if LANES == 16
#define EACH_LANE(f, s) f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s), f(8, s), f(9, s), \
  f(10, s), f(11, s), f(12, s), f(13, s), f(14, s), f(15, s)
#elif LANES == 8
#define EACH_LANE(f, s) f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s)
#else
#define EACH_LANE(f, s) f(0, s), f(1, s), f(2, s), f(3, s)
#endif
#define ITSELF(lane, s) lane
#define FIRST_OF_PAIR(lane, s) ((lane) & (s) ? LANES + (lane) - (s) : (lane))
#define SECOND_OF_PAIR(lane, s) ((lane) & (s) ? LANES + (lane) : (lane) + (s))
#if defined(__clang__)
#define SHUFFLE(a, b, f, s) __builtin_shufflevector(a, b, EACH_LANE(f, s))
#else
#define SHUFFLE(a, b, f, s) __builtin_shuffle(a, b, (ivec){EACH_LANE(f, s)})
#endif
/* Exchanges blocks of s lanes between rows s apart. */
#define EXCHANGE(rows, s) \
  UNROLL for (int i = 0; i < LANES; i++) if ((i & (s)) == 0) { \
    const vec first = rows[i], second = rows[i + (s)]; \
    rows[i] = SHUFFLE(first, second, FIRST_OF_PAIR, s); \
    rows[i + (s)] = SHUFFLE(first, second, SECOND_OF_PAIR, s); \
  }

INLINE void transpose(vec rows[LANES]) {
  EXCHANGE(rows, 1)
  EXCHANGE(rows, 2)
#if LANES >= 8
  EXCHANGE(rows, 4)
#endif
#if LANES >= 16
  EXCHANGE(rows, 8)
#endif
}

/*
 * packed[i * panel + r] = lines[r * line + i * step] for r < count, 0 up to panel; i < depth. Whole vectors are
 * written, in the order of i: LANES - 1 numbers after the last may be overwritten.
 */
INLINE void pack_lines(const float *lines, int64_t line, int64_t step, int count, const int panel, int64_t depth,
                       float *packed) {
  if (step == 1 && depth >= LANES) {
    for (int64_t start = 0; start < depth; start += LANES) {
      const int64_t i = start + LANES <= depth ? start : depth - LANES; /* the last vectors overlap those before */
      for (int first = 0; first < panel; first += LANES) {
        vec rows[LANES];
        UNROLL for (int r = 0; r < LANES; r++)
          rows[r] = first + r < count ? load(lines + (first + r) * line + i) : (vec){0};
        transpose(rows);
        UNROLL for (int r = 0; r < LANES; r++) store(packed + (i + r) * panel + first, rows[r]);
      }
    }
    return;
  }
  if (line == 1 && count == panel) {
    for (int64_t i = 0; i < depth; i++) memcpy(packed + i * panel, lines + i * step, 4 * panel);
    return;
  }
  for (int64_t i = 0; i < depth; i++)
    for (int r = 0; r < panel; r++) packed[i * panel + r] = r < count ? lines[r * line + i * step] : 0;
}

enum { PACK_DEPTH = 16 };

/* Panels of `panel` lines each, one after the other; where lines are neighbours, memory is read in long pieces. */
INLINE void pack_panels(const float *lines, int64_t line, int64_t step, int64_t count, const int panel, int64_t depth,
                        float *packed, int64_t packed_depth) {
  const int64_t most = line == 1 ? PACK_DEPTH : depth;
  for (int64_t i = 0; i < depth; i += most)
    for (int64_t first = 0; first < count; first += panel)
      pack_lines(lines + first * line + i * step, line, step, count - first < panel ? (int)(count - first) : panel,
                 panel, depth - i < most ? depth - i : most, packed + first * packed_depth + i * panel);
}
#endif
