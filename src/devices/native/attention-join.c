/* The results of one query from its chunks' parts. A work item is a head of a sequence. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct attention w = read_attention(args);
  for (int64_t item = begin; item < end; item++) {
    const float *part = w.workspace + item * w.chunks * (HEAD_DIM + 2);
    float largest = -0x1.fffffep127f, total = 0, sums[HEAD_DIM] = {0};
    for (int64_t c = 0; c < w.chunks; c++) {
      const float score = part[c * (HEAD_DIM + 2) + HEAD_DIM];
      largest = score > largest ? score : largest;
    }
    for (int64_t c = 0; c < w.chunks; c++) {
      const float *from = part + c * (HEAD_DIM + 2);
      const float weight = exp2_negative(floats_all(from[HEAD_DIM] - largest))[0];
      total += weight * from[HEAD_DIM + 1];
      for (int d = 0; d < HEAD_DIM; d++) sums[d] += weight * from[d];
    }
    float *output = vector_of(w.output, item / w.heads, 0, item % w.heads);
    for (int d = 0; d < HEAD_DIM; d++) output[d] = total == 0 ? 0 : sums[d] / total;
    w.log_sum_exp[item] = natural_log(floats_all(total), floats_all(largest))[0];
  }
}
