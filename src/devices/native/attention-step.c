/*
 * Attention of one query to a sequence, as when text is generated: keys and values stream by once. A work item is a chunk
 * of the keys of one key head, for every query head that shares it; it leaves, for each, weighted values, the largest
 * score and the sum of the weights in the workspace, for attention-join.c.
 */
#undef WIDE
#undef WHOLE
#define WIDE ((HEAD_DIM + LANES - 1) / LANES)
#define WHOLE (HEAD_DIM / LANES)

INLINE void NAME(load)(const float *p, floats numbers[WIDE]) {
  UNROLL for (int v = 0; v < WHOLE; v++) numbers[v] = floats_load(p + v * LANES);
#if HEAD_DIM % LANES != 0
  float rest[LANES] = {0};
  memcpy(rest, p + WHOLE * LANES, 4 * (HEAD_DIM % LANES));
  numbers[WHOLE] = floats_load(rest);
#endif
}

/* Scores of `count` keys, -infinity up to a whole vector; returns the largest. */
static float NAME(score)(const float *query, float factor, const float *keys, int64_t time, int64_t count, float *scores) {
  floats left[WIDE], most = floats_all(-0x1.fffffep127f);
  NAME(load)(query, left);
  for (int v = 0; v < WIDE; v++) left[v] *= floats_all(factor);
  for (int64_t first = 0; first < count; first += LANES) {
    floats rows[LANES];
    UNROLL for (int i = 0; i < LANES; i++) {
      floats right[WIDE], sum = {0};
      NAME(load)(keys + (first + i < count ? first + i : count - 1) * time, right);
      UNROLL for (int v = 0; v < WIDE; v++) sum = multiply_add(left[v], right[v], sum);
      rows[i] = sum;
    }
    transpose(rows);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
      UNROLL for (int i = 0; i < half; i++) rows[i] += rows[i + half];
    const floats score = floats_choose(lane_numbers(0) < floats_all((float)(count - first)), rows[0], floats_all(-__builtin_inff()));
    floats_store(scores + first, score);
    most = floats_greater(score, most);
  }
  float lanes[LANES], largest = -0x1.fffffep127f;
  floats_store(lanes, most);
  for (int i = 0; i < LANES; i++) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

/* Turns scores into weights; returns their sum. */
static float NAME(weigh)(float *scores, int64_t count, float largest) {
  floats total = {0};
  for (int64_t j = 0; j < count; j += LANES) {
    const floats weight = exp2_negative(floats_load(scores + j) - floats_all(largest));
    floats_store(scores + j, weight);
    total += weight;
  }
  float lanes[LANES], sum = 0;
  floats_store(lanes, total);
  for (int i = 0; i < LANES; i++) sum += lanes[i];
  return sum;
}

static void NAME(mix)(const float *weights, const float *values, int64_t time, int64_t count, float *target) {
  floats even[WIDE], odd[WIDE], numbers[WIDE];
  for (int v = 0; v < WIDE; v++) even[v] = odd[v] = (floats){0};
  int64_t j = 0;
  for (; j + 2 <= count; j += 2) {
    NAME(load)(values + j * time, numbers);
    UNROLL for (int v = 0; v < WIDE; v++) even[v] = multiply_add(floats_all(weights[j]), numbers[v], even[v]);
    NAME(load)(values + (j + 1) * time, numbers);
    UNROLL for (int v = 0; v < WIDE; v++) odd[v] = multiply_add(floats_all(weights[j + 1]), numbers[v], odd[v]);
  }
  if (j < count) {
    NAME(load)(values + j * time, numbers);
    for (int v = 0; v < WIDE; v++) even[v] = multiply_add(floats_all(weights[j]), numbers[v], even[v]);
  }
  float sums[WIDE * LANES];
  for (int v = 0; v < WIDE; v++) floats_store(sums + v * LANES, even[v] + odd[v]);
  memcpy(target, sums, 4 * HEAD_DIM);
}

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct attention w = read_attention(args);
  float *scores = (float *)scratch;
  for (int64_t item = begin; item < end; item++) {
    const int64_t key_head = item % w.key_heads, rest = item / w.key_heads; /* heads that lie side by side, one after the other */
    const int64_t chunk = rest % w.chunks, batch = rest / w.chunks;
    const struct span seen = span_of(&w, batch, 0);
    const int64_t first = seen.begin + chunk * w.chunk_keys, count = clip(seen.end - first, 0, w.chunk_keys);
    const float *keys = vector_of(w.key, batch, first, key_head), *values = vector_of(w.value, batch, first, key_head);
    for (int64_t head = key_head * w.group; head < (key_head + 1) * w.group; head++) {
      float *part = w.workspace + ((batch * w.heads + head) * w.chunks + chunk) * (HEAD_DIM + 2);
      part[HEAD_DIM] = NAME(score)(vector_of(w.query, batch, 0, head), w.scale * LOG2_E, keys, w.key.time, count, scores);
      part[HEAD_DIM + 1] = NAME(weigh)(scores, count, part[HEAD_DIM]);
      NAME(mix)(scores, values, w.value.time, count, part);
    }
  }
}
