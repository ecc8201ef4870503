/* table[indices[i], :] += source[i, :]; an item owns some columns, so that additions come in the order of the indices. */
void sluice_scatter_add(const double *args, int64_t begin, int64_t end, char *scratch) {
  enum { AHEAD = 8, LINE = 16 };
  float *table = ADDRESS(float, args[0]);
  const int64_t table_stride = (int64_t)args[1];
  const int32_t *indices = ADDRESS(const int32_t, args[2]);
  const float *source = ADDRESS(const float, args[3]);
  const int64_t source_stride = (int64_t)args[4], width = (int64_t)args[5], rows = (int64_t)args[6];
  const int64_t columns = (int64_t)args[7];
  const int64_t first = begin * columns, last = end * columns < width ? end * columns : width;
  for (int64_t i = 0; i < rows; i++) {
    float *restrict to = table + indices[i] * table_stride;
    const float *restrict from = source + i * source_stride;
    if (i + AHEAD < rows) {
      const float *next = table + indices[i + AHEAD] * table_stride;
      for (int64_t j = first; j < last; j += LINE) __builtin_prefetch(next + j, 1);
    }
    for (int64_t j = first; j < last; j++) to[j] += from[j];
  }
  (void)scratch;
}
