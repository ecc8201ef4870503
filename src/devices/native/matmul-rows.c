/*
 * Few rows of A with rows of B that are contiguous: B is read once, in long pieces, nothing packed; sums wait in scratch.
 * A work item is a block of `depth` columns (here the width of a block, not a part of k).
 */
#ifndef SLUICE_MATMUL_ROWS
#define SLUICE_MATMUL_ROWS
enum { ROWS_TOGETHER = 8 };

/* sums[j] += a[0] * b[0][j] + ... + a[count - 1] * b[count - 1][j], one after the other. */
INLINE void add_rows(const int count, const float *a, int64_t a_step, const float *b, int64_t b_row, int64_t columns,
                     float *sums) {
  int64_t j = 0;
  for (; j + LANES <= columns; j += LANES) {
    floats sum = floats_load(sums + j);
    UNROLL for (int i = 0; i < count; i++) sum = multiply_add(floats_all(a[i * a_step]), floats_load(b + i * b_row + j), sum);
    floats_store(sums + j, sum);
  }
  if (j == columns) return;
  float rest[LANES] = {0};
  floats sum = floats_load(sums + j);
  UNROLL for (int i = 0; i < count; i++) {
    memcpy(rest, b + i * b_row + j, 4 * (size_t)(columns - j));
    sum = multiply_add(floats_all(a[i * a_step]), floats_load(rest), sum);
  }
  floats_store(sums + j, sum);
}
#endif

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int64_t width = w.depth, blocks = (w.n + width - 1) / width;
  float *sums = (float *)scratch;
  for (int64_t item = begin; item < end; item++) {
    const int64_t batch = item / blocks, column = item % blocks * width, columns = least(width, w.n - column);
    const float *a = w.a + batch * w.a_batch, *b = w.b + batch * w.b_batch + column;
    float *c = w.c + batch * w.c_batch + column;
    memset(sums, 0, 4 * (size_t)(w.m * (width + LANES)));
    for (int64_t i = 0; i < w.k;) {
      const int whole = i + ROWS_TOGETHER <= w.k;
      for (int64_t r = 0; r < w.m; r++) {
        const float *left = a + r * w.a_row + i * w.a_column;
        if (whole) add_rows(ROWS_TOGETHER, left, w.a_column, b + i * w.b_row, w.b_row, columns, sums + r * (width + LANES));
        else add_rows(1, left, w.a_column, b + i * w.b_row, w.b_row, columns, sums + r * (width + LANES));
      }
      i += whole ? ROWS_TOGETHER : 1;
    }
    for (int64_t r = 0; r < w.m; r++)
      for (int64_t j = 0; j < columns; j++) {
        const float sum = sums[r * (width + LANES) + j];
        c[r * w.c_row + j] = w.accumulate ? c[r * w.c_row + j] + sum : sum;
      }
  }
}
