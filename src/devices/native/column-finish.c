/* output[j] = (accumulate ? output[j] : 0) + the sums of all blocks, [blocks, length], in their order; an item is a column. */
void sluice_column_finish(const double *args, int64_t begin, int64_t end, char *scratch) {
  enum { WIDTH = 256 };
  const int64_t length = (int64_t)args[0], blocks = (int64_t)args[1];
  const double *sums = ADDRESS(const double, args[2]);
  float *output = ADDRESS(float, args[3]);
  const double accumulate = args[4];
  for (int64_t first = begin; first < end; first += WIDTH) {
    double total[WIDTH];
    const int64_t n = end - first < WIDTH ? end - first : WIDTH;
    for (int64_t j = 0; j < n; j++) total[j] = sums[first + j];
    for (int64_t block = 1; block < blocks; block++)
      for (int64_t j = 0; j < n; j++) total[j] += sums[block * length + first + j];
    if (accumulate != 0)
      for (int64_t j = 0; j < n; j++) output[first + j] = (float)((double)output[first + j] + total[j]);
    else
      for (int64_t j = 0; j < n; j++) output[first + j] = (float)total[j];
  }
  (void)scratch;
}
