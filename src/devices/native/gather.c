/* output[i, :] = table[indices[i], :]; an item is a row. */
void sluice_gather(const double *args, int64_t begin, int64_t end, char *scratch) {
  const float *table = ADDRESS(const float, args[0]);
  const int64_t table_stride = (int64_t)args[1];
  const int32_t *indices = ADDRESS(const int32_t, args[2]);
  float *output = ADDRESS(float, args[3]);
  const int64_t output_stride = (int64_t)args[4];
  const size_t bytes = sizeof(float) * (size_t)args[5];
  for (int64_t i = begin; i < end; i++)
    memcpy(output + i * output_stride, table + indices[i] * table_stride, bytes);
  (void)scratch;
}
