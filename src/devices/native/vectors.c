/* The register tile that products and attention are made of, and how its operands are packed. */
#ifndef SLUICE_VECTORS
#define SLUICE_VECTORS
#define LANES FLOATS
#if VECTOR_BYTES == 64
#define TILE_ROWS 14 /* times two vectors: 28 of 32 registers */
#define REGISTERS 28
#define MOST_VECTORS 4
#elif defined(__aarch64__)
#define TILE_ROWS 12
#define REGISTERS 24
#define MOST_VECTORS 4
#else
#define TILE_ROWS 6
#define REGISTERS 12
#define MOST_VECTORS 3
#endif

/* A name of the kernel's own. */
#define NAME(part) NAME_OF(KERNEL, part)
#define NAME_OF(kernel, part) NAME_JOINED(kernel, part)
#define NAME_JOINED(kernel, part) kernel##_##part

#if defined(__aarch64__) && !defined(__clang__)
#define multiply_add(a, b, c) ((floats)__builtin_aarch64_fmav4sf(a, b, c)) /* the compiler fuses nothing by itself */
#else
#define multiply_add floats_fma
#endif

#define UNROLL _Pragma("GCC unroll 16")
/* Compiled once, whatever its arguments: compilers are waited for. */
#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

/*
 * sums[r][v] += sum over i < depth of a[r * line + i * step] * b[i * b_step + v * LANES], in the order of i: the tile
 * stays in registers. Rows and vectors (4 at most) are constants where it is called, and so is one of line and step: 1.
 * Operands that come from beyond the first-level cache are asked for `ahead` steps early; 0 asks for nothing.
 */
INLINE void multiply_tile(const int rows, const int vectors, const int ahead, const float *a, int64_t line, int64_t step,
                          const float *b, int64_t b_step, int64_t depth, floats sums[rows][vectors]) {
  for (int64_t i = 0; i < depth; i++) {
    floats right[4];
    if (ahead > 0) {
      UNROLL for (int v = 0; v < vectors; v++)
        if (v * LANES % 16 == 0) __builtin_prefetch(b + (i + ahead) * b_step + v * LANES);
      if (step != 1 && LANES >= 16) { /* they may lie across two lines of memory */
        __builtin_prefetch(a + (i + ahead) * step);
        __builtin_prefetch(a + (i + ahead) * step + rows - 1);
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) right[v] = floats_load(b + i * b_step + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const floats left = floats_all(a[r * line + i * step]);
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
#define FLOAT_OF(lane, s) (float)(lane)
#define FIRST_OF_PAIR(lane, s) ((lane) & (s) ? LANES + (lane) - (s) : (lane))
#define SECOND_OF_PAIR(lane, s) ((lane) & (s) ? LANES + (lane) : (lane) + (s))
#if defined(__clang__)
#define SHUFFLE(a, b, f, s) __builtin_shufflevector(a, b, EACH_LANE(f, s))
#else
#define SHUFFLE(a, b, f, s) __builtin_shuffle(a, b, (floats_bits){EACH_LANE(f, s)})
#endif
/* Exchanges blocks of s lanes between rows s apart. */
#define EXCHANGE(rows, s) \
  UNROLL for (int i = 0; i < LANES; i++) if ((i & (s)) == 0) { \
    const floats first = rows[i], second = rows[i + (s)]; \
    rows[i] = SHUFFLE(first, second, FIRST_OF_PAIR, s); \
    rows[i + (s)] = SHUFFLE(first, second, SECOND_OF_PAIR, s); \
  }

INLINE void transpose(floats rows[LANES]) {
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
 * rows[i * row + r] = lines[r * line + i] for i < LANES and r < width, 0 from r = count on. The first `whole` rows are
 * written as whole vectors, which may reach into the next row.
 */
static NOINLINE void transpose_block(const float *lines, int64_t line, int64_t count, float *rows, int64_t row,
                                     int64_t width, int64_t whole) {
  floats block[LANES];
  UNROLL for (int r = 0; r < LANES; r++) block[r] = r < count ? floats_load(lines + r * line) : (floats){0};
  transpose(block);
  UNROLL for (int i = 0; i < LANES; i++) {
    if (i < whole) floats_store(rows + i * row, block[i]);
    else memcpy(rows + i * row, &block[i], 4 * (size_t)width);
  }
}

/* packed[i * panel + r] = lines[r * line + i * step] for r < count, 0 up to panel; i < depth. */
static NOINLINE void pack_lines(const float *lines, int64_t line, int64_t step, int64_t count, int64_t panel, int64_t depth,
                                float *packed) {
  if (step == 1 && depth >= LANES) {
    for (int64_t start = 0; start < depth; start += LANES) {
      const int64_t i = start + LANES <= depth ? start : depth - LANES; /* the last vectors overlap those before */
      for (int64_t first = 0; first < panel; first += LANES) {
        const int64_t width = panel - first < LANES ? panel - first : LANES;
        /* A row's only vector may reach into the next, which is written later. */
        const int64_t whole = width == LANES ? LANES : first > 0 ? 0 : depth - 1 - i;
        transpose_block(lines + first * line + i, line, count - first, packed + i * panel + first, panel, width, whole);
      }
    }
    return;
  }
  if (line == 1 && count == panel && step >= LANES && depth > 0) { /* whole vectors, but for the last row */
    for (int64_t i = 0; i < depth - 1; i++)
      for (int64_t r = 0; r < panel; r += LANES) floats_store(packed + i * panel + r, floats_load(lines + i * step + r));
    memcpy(packed + (depth - 1) * panel, lines + (depth - 1) * step, 4 * (size_t)panel);
    return;
  }
  for (int64_t i = 0; i < depth; i++)
    for (int64_t r = 0; r < panel; r++) packed[i * panel + r] = r < count ? lines[r * line + i * step] : 0;
}

enum { PACK_DEPTH = 16 };

/* Panels of `panel` lines each, one after the other; where lines are neighbours, memory is read in long pieces. */
static void pack_panels(const float *lines, int64_t line, int64_t step, int64_t count, int64_t panel, int64_t depth,
                        float *packed, int64_t packed_depth) {
  const int64_t most = line == 1 ? PACK_DEPTH : depth;
  for (int64_t i = 0; i < depth; i += most)
    for (int64_t first = 0; first < count; first += panel)
      pack_lines(lines + first * line + i * step, line, step, count - first < panel ? count - first : panel, panel,
                 depth - i < most ? depth - i : most, packed + first * packed_depth + i * panel);
}
#endif
