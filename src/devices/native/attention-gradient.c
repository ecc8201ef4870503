/*
 * The gradients of attention for heads of HEAD_DIM. A work item is one chunk of the keys of one key head: it goes through
 * the query heads that share it and their blocks of queries in order, so that every sum has one order. Gradients of keys
 * and values are finished here; those of queries too if there is one chunk, else each chunk's part goes to the workspace.
 * With P = softmax(S), S = scale Q K^T: dV = P^T dO, dS = P (dO V^T - rowsum(dO O)), dQ = scale dS K, dK = scale dS^T Q.
 * Source: Dao et al. 2022, arXiv:2205.14135, algorithm 4.
 */
#undef WIDE
#undef D_VECTORS
#undef D_PAD
#undef KEY_ROWS
#undef PART_KEYS
#define WIDE ((HEAD_DIM + LANES - 1) / LANES) /* vectors that hold a head's numbers */
#define D_VECTORS ((WIDE + (WIDE + MOST_VECTORS - 1) / MOST_VECTORS - 1) / ((WIDE + MOST_VECTORS - 1) / MOST_VECTORS))
#define D_PAD ((WIDE + D_VECTORS - 1) / D_VECTORS * D_VECTORS * LANES)
#define KEY_ROWS (D_VECTORS <= 2 ? TILE_ROWS : D_VECTORS == 3 ? (REGISTERS < 24 ? 4 : 8) : TILE_ROWS / 2)
#define PART_KEYS (4 * TILE_ROWS) /* keys of a block, whole tiles of KEY_ROWS */

struct NAME(block) {
  float columns[HEAD_DIM][QUERIES], d_columns[HEAD_DIM][QUERIES]; /* Q^T times scale and log2(e), dO^T */
  float sums[HEAD_DIM][QUERIES];                                  /* dQ^T / scale */
  float rows[QUERIES][D_PAD], d_rows[QUERIES][D_PAD];             /* scale Q, dO */
  float weights[PART_KEYS][QUERIES], slopes[PART_KEYS][QUERIES];  /* P^T, dS^T */
  float log_sum_exp[QUERIES], delta[QUERIES];
  struct sight sight;
};
_Static_assert(sizeof(struct NAME(block)) + 63 <= BLOCK_BYTES, "a launch gives the block its scratch memory");
_Static_assert(D_PAD <= HEAD_DIM + MOST_VECTOR && 2 * PART_KEYS <= MOST_KEYS, "a launch gives sums their scratch memory");

/* A block of queries: its part of each operand, times factors, padded with zeros. */
static void NAME(queries)(struct NAME(block) *b, const struct attention *w, int64_t batch, int64_t head, int64_t first,
                          int64_t count) {
  const float *query = vector_of(w->query, batch, first, head);
  const float *d_output = vector_of(w->d_output, batch, first, head);
  pack_lines(query, w->query.time, 1, count, QUERIES, HEAD_DIM, b->columns[0]);
  pack_lines(d_output, w->d_output.time, 1, count, QUERIES, HEAD_DIM, b->d_columns[0]);
  pack_lines(vector_of(w->output, batch, first, head), w->output.time, 1, count, QUERIES, HEAD_DIM, b->sums[0]);
  for (int q = 0; q < QUERIES; q += LANES) {
    floats delta = {0};
    for (int d = 0; d < HEAD_DIM; d++) {
      delta = multiply_add(floats_load(&b->d_columns[d][q]), floats_load(&b->sums[d][q]), delta);
      floats_store(&b->sums[d][q], (floats){0});
      floats_store(&b->columns[d][q], floats_load(&b->columns[d][q]) * floats_all(w->scale * LOG2_E));
    }
    floats_store(&b->delta[q], delta);
  }
  const float *log_sum_exp = log_sum_exp_of(w, batch, head, first);
  memset(b->rows, 0, sizeof b->rows);
  memset(b->d_rows, 0, sizeof b->d_rows);
  for (int64_t q = 0; q < QUERIES; q++) b->log_sum_exp[q] = __builtin_inff(); /* no weights where no key is seen */
  for (int64_t q = 0; q < count; q++) {
    if (log_sum_exp[q] != -__builtin_inff()) b->log_sum_exp[q] = log_sum_exp[q] * LOG2_E;
    float *row = b->rows[q], *d_row = b->d_rows[q];
    for (int d = 0; d < HEAD_DIM; d++) row[d] = query[q * w->query.time + d] * w->scale;
    memcpy(d_row, d_output + q * w->d_output.time, 4 * HEAD_DIM);
  }
}

/* One vector of queries: P^T and dS^T from S^T and dP^T; zeros up to the end of the last tile of keys. */
static NOINLINE void NAME(weigh)(struct NAME(block) *b, int lane, int64_t from, int64_t whole, int64_t seen, floats lower,
                                 floats upper) {
  const floats log_sum_exp = floats_load(&b->log_sum_exp[lane]), delta = floats_load(&b->delta[lane]);
  float(*weights)[QUERIES] = b->weights + from, (*slopes)[QUERIES] = b->slopes + from;
  int64_t j = 0;
  for (; j < whole; j++) {
    const floats weight = exp2_negative(floats_load(&weights[j][lane]) - log_sum_exp);
    floats_store(&weights[j][lane], weight);
    floats_store(&slopes[j][lane], weight * (floats_load(&slopes[j][lane]) - delta));
  }
  for (; j < seen; j++) {
    const floats_bits sees = (floats_all((float)j) < upper) & (floats_all((float)j) >= lower);
    const floats weight = exp2_negative(floats_load(&weights[j][lane]) - log_sum_exp);
    floats_store(&weights[j][lane], floats_choose(sees, weight, floats_all(0)));
    floats_store(&slopes[j][lane], floats_choose(sees, weight * (floats_load(&slopes[j][lane]) - delta), floats_all(0)));
  }
  for (; j % KEY_ROWS != 0; j++) floats_store(&weights[j][lane], (floats){0}), floats_store(&slopes[j][lane], (floats){0});
}

/* No weights for one vector of queries and the keys from `from` to `to`. */
static void NAME(clear)(struct NAME(block) *b, int lane, int64_t from, int64_t to) {
  for (int64_t j = from; j < to; j++) floats_store(&b->weights[j][lane], (floats){0}), floats_store(&b->slopes[j][lane], (floats){0});
}

/* sums[j] += scores[j][q] rows[q] for one tile of keys and the queries from `lane` to `end`. */
static NOINLINE void NAME(add)(const float *scores, const float *rows, int64_t lane, int64_t end, float *sums) {
  for (int d = 0; d < D_PAD; d += D_VECTORS * LANES) {
    floats tile[KEY_ROWS][D_VECTORS];
    UNROLL for (int r = 0; r < KEY_ROWS; r++) UNROLL for (int v = 0; v < D_VECTORS; v++)
      tile[r][v] = floats_load(sums + r * D_PAD + d + v * LANES);
    multiply_tile(KEY_ROWS, D_VECTORS, 0, scores + lane, QUERIES, 1, rows + lane * D_PAD + d, D_PAD, end - lane, tile);
    UNROLL for (int r = 0; r < KEY_ROWS; r++) UNROLL for (int v = 0; v < D_VECTORS; v++)
      floats_store(sums + r * D_PAD + d + v * LANES, tile[r][v]);
  }
}

/* What a block of queries gives to the gradients of keys and values; each vector of queries sees keys `from` to `seen_by`. */
static void NAME(add_keys)(struct NAME(block) *b, const struct attention *w, int64_t end, int64_t length, const int64_t *from,
                           const int64_t *seen_by, float *d_keys, float *d_values) {
  if (w->ranges != 0)
    for (int lane = 0; lane < end; lane += LANES) {
      const int64_t whole = (seen_by[lane / LANES] + KEY_ROWS - 1) / KEY_ROWS * KEY_ROWS;
      NAME(clear)(b, lane, 0, from[lane / LANES]);
      NAME(clear)(b, lane, whole, (length + KEY_ROWS - 1) / KEY_ROWS * KEY_ROWS);
    }
  for (int64_t j = 0, lane = 0; j < length; j += KEY_ROWS) {
    int64_t last = end;
    while (lane < end && seen_by[lane / LANES] <= j) lane += LANES;
    while (last > lane && from[last / LANES - 1] > j) last -= LANES;
    if (lane == last) continue;
    NAME(add)(b->weights[j], b->d_rows[0], lane, last, d_values + j * D_PAD);
    NAME(add)(b->slopes[j], b->rows[0], lane, last, d_keys + j * D_PAD);
  }
}

/* A block of keys against a block of queries; d_keys and d_values are the block's sums so far. */
static void NAME(keys)(struct NAME(block) *b, const struct attention *w, const float *keys, const float *values,
                       int64_t first, int64_t count, int64_t key, int64_t length, float *d_keys, float *d_values) {
  const floats one[2] = {floats_all(1), floats_all(1)};
  int64_t from[QUERIES / LANES] = {0}, seen_by[QUERIES / LANES] = {0};
  for (int lane = 0; lane < QUERIES && lane < count; lane += PAIR) {
    const struct reach seen = reach_of(w, &b->sight, first, lane, count, key, length, KEY_ROWS);
    from[lane / LANES] = from[lane / LANES + 1] = seen.from;
    seen_by[lane / LANES] = seen.from + seen.both, seen_by[lane / LANES + 1] = seen.from + seen.second;
    if (seen.second == 0) continue;
    for (int pass = 0; pass < 2; pass++) {
      const struct operand *operand = pass == 0 ? &w->key : &w->value;
      const float *lines = (pass == 0 ? keys : values) + seen.from * operand->time;
      const float *columns = pass == 0 ? b->columns[0] : b->d_columns[0];
      float *scores = (pass == 0 ? b->weights : b->slopes)[seen.from];
      score_pair(lines, operand->time, columns + lane, HEAD_DIM, 0, seen.both, scores + lane);
      score_one(lines, operand->time, columns + lane + LANES, HEAD_DIM, seen.both, seen.second, scores + lane + LANES);
    }
    const int64_t whole = seen.whole < seen.both ? seen.whole : seen.both;
    NAME(weigh)(b, lane, seen.from, whole, seen.both, seen.lower[0], seen.upper[0]);
    NAME(weigh)(b, lane + LANES, seen.from, seen.whole, seen.second, seen.lower[1], seen.upper[1]);
    const float *lines = keys + seen.from * w->key.time, *slopes = &b->slopes[seen.from][lane];
    for (int tile = 0; tile < D_EQUAL; tile++)
      mix_lines(D_TILE, lines + tile * D_TILE, w->key.time, slopes, seen, one, &b->sums[tile * D_TILE][lane]);
    const int rest = D_EQUAL * D_TILE;
    if (rest < HEAD_DIM) mix_lines(D_REST, lines + rest, w->key.time, slopes, seen, one, &b->sums[rest][lane]);
  }
  NAME(add_keys)(b, w, (count + PAIR - 1) / PAIR * PAIR, length, from, seen_by, d_keys, d_values);
}

static void NAME(write)(struct operand o, int64_t batch, int64_t first, int64_t head, const float *sums, int64_t count) {
  for (int64_t j = 0; j < count; j++)
    memcpy(vector_of(o, batch, first + j, head), sums + j * D_PAD, 4 * HEAD_DIM);
}

static void NAME(chunk)(struct NAME(block) *block, const struct attention *w, int64_t chunk, int64_t batch,
                        int64_t key_head, float *d_keys, float *d_values) {
  const int64_t begin = chunk * w->chunk_keys, most = w->key_length - begin;
  const int64_t count_keys = most < w->chunk_keys ? most : w->chunk_keys;
  const size_t bytes = 4 * (size_t)((count_keys + PART_KEYS - 1) / PART_KEYS * PART_KEYS) * D_PAD;
  memset(d_keys, 0, bytes);
  memset(d_values, 0, bytes);
  float factors[QUERIES];
  for (int q = 0; q < QUERIES; q++) factors[q] = w->scale;
  for (int64_t head = key_head * w->group; head < (key_head + 1) * w->group; head++)
    for (int64_t first = 0; first < w->query_length; first += QUERIES) {
      const int64_t count = w->query_length - first < QUERIES ? w->query_length - first : QUERIES;
      look(&block->sight, w, batch, first, count);
      const int64_t seen = clip(block->sight.all.end - begin, 0, count_keys);
      NAME(queries)(block, w, batch, head, first, count);
      for (int64_t j = clip(block->sight.all.begin - begin, 0, count_keys) / KEY_ROWS * KEY_ROWS; j < seen; j += PART_KEYS)
        NAME(keys)(block, w, vector_of(w->key, batch, begin + j, key_head), vector_of(w->value, batch, begin + j, key_head),
                   first, count, begin + j, seen - j < PART_KEYS ? seen - j : PART_KEYS, d_keys + j * D_PAD,
                   d_values + j * D_PAD);
      const int64_t sequence = (chunk * w->batch + batch) * w->heads + head;
      if (w->chunks == 1)
        transpose_out(block->sums[0], factors, HEAD_DIM, count, vector_of(w->d_query, batch, first, head), w->d_query.time);
      else
        transpose_out(block->sums[0], factors, HEAD_DIM, count,
                      w->workspace + (sequence * w->query_length + first) * HEAD_DIM, HEAD_DIM);
    }
  NAME(write)(w->d_key, batch, begin, key_head, d_keys, count_keys);
  NAME(write)(w->d_value, batch, begin, key_head, d_values, count_keys);
}

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct attention w = read_attention(args);
  struct NAME(block) *block = (struct NAME(block) *)scratch;
  float *d_keys = (float *)(scratch + (sizeof(struct NAME(block)) + 63) / 64 * 64);
  float *d_values = d_keys + (w.chunk_keys + PART_KEYS) * D_PAD;
  for (int64_t item = begin; item < end; item++) {
    const int64_t chunk = item / (w.batch * w.key_heads), sequence = item % (w.batch * w.key_heads);
    NAME(chunk)(block, &w, chunk, sequence / w.key_heads, sequence % w.key_heads, d_keys, d_values);
  }
}
