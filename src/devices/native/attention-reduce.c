/* The gradients of queries: the sum of the chunks' parts, in their order. A work item is a query of a head. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct attention w = read_attention(args);
  const int64_t items = w.batch * w.heads * w.query_length;
  for (int64_t item = begin; item < end; item++) {
    const int64_t position = item % w.query_length, sequence = item / w.query_length;
    float *target = vector_of(w.d_query, sequence / w.heads, position, sequence % w.heads);
    for (int d = 0; d < HEAD_DIM; d++) {
      float sum = 0;
      for (int64_t chunk = 0; chunk < w.chunks; chunk++) sum += w.workspace[(chunk * items + item) * HEAD_DIM + d];
      target[d] = sum;
    }
  }
}
