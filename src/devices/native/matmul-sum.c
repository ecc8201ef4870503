/* Adds the partial sums of a product to C, in their order. A work item is a row. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  (void)scratch;
  for (int64_t row = begin; row < end; row++)
    for (int64_t sum = 1; sum < w.sums; sum++) {
      float *restrict c = w.c + row * w.c_row;
      const float *restrict partial = w.partial + ((sum - 1) * w.m + row) * w.n;
      for (int64_t j = 0; j < w.n; j++) c[j] += partial[j];
    }
}
