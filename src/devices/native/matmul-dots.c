/*
 * Few rows of A (4 at most) with columns of B that are contiguous, as when a token meets the weights [n, k] of a linear
 * layer: dot products along memory, nothing packed. A work item is a group of DOT_COLUMNS columns.
 */
#ifndef SLUICE_MATMUL_DOTS
#define SLUICE_MATMUL_DOTS
#define DOT_LANES 16 /* on every processor, so that sums are the same */
#define DOT_VECTORS (DOT_LANES / LANES)

/* The sum of all lanes, halves first. */
INLINE float sum_lanes(const floats parts[DOT_VECTORS]) {
  float lanes[DOT_LANES];
  for (int v = 0; v < DOT_VECTORS; v++) floats_store(lanes + v * LANES, parts[v]);
  for (int half = DOT_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

/* c[r][j] for `rows` rows and DOT_COLUMNS columns; columns past the last repeat it. */
INLINE void multiply_dots(const int rows, const struct matmul *w, const float *a, const float *b, float *c, int columns) {
  const float *right[DOT_COLUMNS];
  floats sums[rows][DOT_COLUMNS][DOT_VECTORS];
  UNROLL for (int j = 0; j < DOT_COLUMNS; j++) right[j] = b + (j < columns ? j : columns - 1) * w->b_column;
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int j = 0; j < DOT_COLUMNS; j++)
    UNROLL for (int v = 0; v < DOT_VECTORS; v++) sums[r][j][v] = (floats){0};
  int64_t i = 0;
  for (; i + DOT_LANES <= w->k; i += DOT_LANES)
    UNROLL for (int v = 0; v < DOT_VECTORS; v++) UNROLL for (int j = 0; j < DOT_COLUMNS; j++) {
      if (v == 0) __builtin_prefetch(right[j] + i + DOT_COLUMNS * w->b_column); /* the next columns lie behind */
      const floats x = floats_load(right[j] + i + v * LANES);
      UNROLL for (int r = 0; r < rows; r++)
        sums[r][j][v] = multiply_add(floats_load(a + r * w->a_row + i + v * LANES), x, sums[r][j][v]);
    }
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < columns; j++) {
      float sum = sum_lanes(sums[r][j]);
      for (int64_t l = i; l < w->k; l++) sum += a[r * w->a_row + l] * right[j][l];
      c[r * w->c_row + j] = w->accumulate ? c[r * w->c_row + j] + sum : sum;
    }
}
#endif

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int64_t groups = (w.n + DOT_COLUMNS - 1) / DOT_COLUMNS;
  for (int64_t item = begin; item < end; item++) {
    const int64_t batch = item / groups, column = item % groups * DOT_COLUMNS;
    const float *a = w.a + batch * w.a_batch, *b = w.b + batch * w.b_batch + column * w.b_column;
    float *c = w.c + batch * w.c_batch + column;
    const int columns = (int)least(DOT_COLUMNS, w.n - column);
    multiply_dots(ROWS, &w, a, b, c, columns);
  }
}
