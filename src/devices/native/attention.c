/*
 * softmax(scale Q K^T) V for heads of HEAD_DIM. A work item is a block of queries of one head; it goes through the keys
 * that they see in blocks, with an online softmax: nothing of size length x length.
 * Sources: Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.
 */
struct NAME(block) {
  floats columns[HEAD_DIM][QUERIES / LANES]; /* queries, times scale and log2(e) */
  floats sums[HEAD_DIM][QUERIES / LANES];    /* of values, by weight */
  floats scores[KEYS][QUERIES / LANES];
  floats largest[QUERIES / LANES], totals[QUERIES / LANES];
  struct sight sight;
};
_Static_assert(sizeof(struct NAME(block)) <= BLOCK_BYTES, "a launch gives the block its scratch memory");

/* Turns one vector's scores into weights; returns what the sums so far are to be multiplied by. */
static NOINLINE floats NAME(weigh)(float *scores, int64_t whole, int64_t seen, floats lower, floats upper, floats *largest,
                                   floats *total) {
  for (int64_t j = whole; j < seen; j++) {
    float *score = scores + j * QUERIES;
    const floats_bits sees = (floats_all((float)j) < upper) & (floats_all((float)j) >= lower);
    floats_store(score, floats_choose(sees, floats_load(score), floats_all(-__builtin_inff())));
  }
  floats most[4] = {*largest, *largest, *largest, *largest};
  int64_t j = 0;
  for (; j + 4 <= seen; j += 4)
    UNROLL for (int i = 0; i < 4; i++) most[i] = floats_greater(floats_load(scores + (j + i) * QUERIES), most[i]);
  for (; j < seen; j++) most[0] = floats_greater(floats_load(scores + j * QUERIES), most[0]);
  const floats now = floats_greater(floats_greater(most[0], most[1]), floats_greater(most[2], most[3]));
  const floats correction = exp2_negative(*largest - now);
  floats sum = *total * correction;
  for (j = 0; j < seen; j++) {
    const floats weight = exp2_negative(floats_load(scores + j * QUERIES) - now);
    floats_store(scores + j * QUERIES, weight);
    sum += weight;
  }
  *largest = now;
  *total = sum;
  return correction;
}

static void NAME(keys)(struct NAME(block) *block, const struct attention *w, const float *keys, const float *values,
                       int64_t first, int64_t count, int64_t key, int64_t length) {
  prefetch_lines(values, w->value.time, HEAD_DIM, length);
  prefetch_lines(keys + KEYS * w->key.time, w->key.time, HEAD_DIM, length);
  for (int lane = 0; lane < QUERIES && lane < count; lane += PAIR) {
    const int pair = lane / LANES;
    const struct reach seen = reach_of(w, &block->sight, first, lane, count, key, length, 1);
    if (seen.second == 0) continue;
    const float *seen_keys = keys + seen.from * w->key.time, *seen_values = values + seen.from * w->value.time;
    float *scores = (float *)&block->scores[0][pair];
    const float *columns = (const float *)&block->columns[0][pair];
    score_pair(seen_keys, w->key.time, columns, HEAD_DIM, 0, seen.both, scores);
    score_one(seen_keys, w->key.time, columns + LANES, HEAD_DIM, seen.both, seen.second, scores + LANES);
    const floats correction[] = {
        NAME(weigh)(scores, seen.whole, seen.both, seen.lower[0], seen.upper[0], &block->largest[pair], &block->totals[pair]),
        NAME(weigh)(scores + LANES, seen.whole, seen.second, seen.lower[1], seen.upper[1], &block->largest[pair + 1],
                    &block->totals[pair + 1]),
    };
    float *sums = (float *)&block->sums[0][pair];
    for (int tile = 0; tile < D_EQUAL; tile++)
      mix_lines(D_TILE, seen_values + tile * D_TILE, w->value.time, scores, seen, correction, sums + tile * D_TILE * QUERIES);
    const int rest = D_EQUAL * D_TILE;
    if (rest < HEAD_DIM)
      mix_lines(D_REST, seen_values + rest, w->value.time, scores, seen, correction, sums + rest * QUERIES);
  }
}

/* The block's results: sums / totals, 0 for a query that sees no key. */
static void NAME(finish)(struct NAME(block) *block, int64_t count, float *log_sum_exp, float *output, int64_t time) {
  float factors[QUERIES], logs[QUERIES];
  for (int v = 0; v < QUERIES / LANES; v++) {
    const floats total = block->totals[v];
    floats_store(logs + v * LANES, natural_log(total, block->largest[v]));
    floats_store(factors + v * LANES, floats_choose(total == floats_all(0), floats_all(0), floats_all(1) / total));
  }
  memcpy(log_sum_exp, logs, 4 * (size_t)count);
  transpose_out((float *)block->sums, factors, HEAD_DIM, count, output, time);
}

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct attention w = read_attention(args);
  struct NAME(block) *block = (struct NAME(block) *)scratch;
  for (int64_t item = begin; item < end; item++) {
    const int64_t first = item % w.query_blocks * QUERIES, sequence = item / w.query_blocks;
    const int64_t head = sequence % w.heads, batch = sequence / w.heads, key_head = head / w.group;
    const int64_t count = w.query_length - first < QUERIES ? w.query_length - first : QUERIES;
    look(&block->sight, &w, batch, first, count);
    const int64_t seen = block->sight.all.end;
    pack_lines(vector_of(w.query, batch, first, head), w.query.time, 1, count, QUERIES, HEAD_DIM,
               (float *)block->columns);
    for (int d = 0; d < HEAD_DIM; d++)
      for (int v = 0; v < QUERIES / LANES; v++) {
        block->columns[d][v] *= floats_all(w.scale * LOG2_E);
        block->sums[d][v] = (floats){0};
      }
    for (int v = 0; v < QUERIES / LANES; v++) block->largest[v] = floats_all(-0x1.fffffep127f), block->totals[v] = (floats){0};
    for (int64_t key = block->sight.all.begin; key < seen; key += KEYS)
      NAME(keys)(block, &w, vector_of(w.key, batch, key, key_head), vector_of(w.value, batch, key, key_head), first,
                 count, key, seen - key < KEYS ? seen - key : KEYS);
    NAME(finish)(block, count, log_sum_exp_of(&w, batch, head, first), vector_of(w.output, batch, first, head),
                 w.output.time);
  }
}
