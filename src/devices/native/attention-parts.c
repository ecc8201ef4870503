/* What the attention kernels share, whatever the width of a head. */
#ifndef SLUICE_ATTENTION
#define SLUICE_ATTENTION
/* Lanes are queries: a block of scores is [keys][QUERIES], so that a row's maximum and sum are taken lane by lane. */
#define PAIR (2 * LANES)
#define KEYS (8 * TILE_ROWS) /* keys of a block */
_Static_assert(QUERIES % PAIR == 0 && KEYS <= MOST_KEYS && LANES <= MOST_VECTOR, "launches count on these sizes");

struct operand {
  float *numbers;
  int64_t batch, time, head;
};

/* The arguments of the attention kernels, in the order of attention.ts; strides in elements. */
struct attention {
  const int32_t *ranges; /* the first key that each query sees and the one after the last, or null: all */
  int64_t batch, query_length, key_length, heads, key_heads, group, reach, query_blocks, chunks, chunk_keys;
  float scale, *log_sum_exp, *workspace;
  struct operand query, key, value, output, d_output, d_query, d_key, d_value;
};

static inline struct operand read_operand(const double *w) {
  return (struct operand){ADDRESS(float, w[0]), (int64_t)w[1], (int64_t)w[2], (int64_t)w[3]};
}

static inline struct attention read_attention(const double *w) {
  return (struct attention){
      .batch = w[0], .query_length = w[1], .key_length = w[2], .heads = w[3], .key_heads = w[4], .group = w[3] / w[4],
      .reach = w[5], .query_blocks = w[6], .chunks = w[7], .chunk_keys = w[8], .scale = w[9],
      .log_sum_exp = ADDRESS(float, w[10]), .workspace = ADDRESS(float, w[11]),
      .query = read_operand(w + 12), .key = read_operand(w + 16), .value = read_operand(w + 20),
      .output = read_operand(w + 24), .d_output = read_operand(w + 28), .d_query = read_operand(w + 32),
      .d_key = read_operand(w + 36), .d_value = read_operand(w + 40), .ranges = ADDRESS(int32_t, w[44]),
  };
}

static inline float *vector_of(struct operand o, int64_t batch, int64_t time, int64_t head) {
  return o.numbers + batch * o.batch + time * o.time + head * o.head;
}

/* Where the log-sum-exp of a query is. */
static inline float *log_sum_exp_of(const struct attention *w, int64_t batch, int64_t head, int64_t position) {
  return w->log_sum_exp + (batch * w->heads + head) * w->query_length + position;
}

static inline int64_t clip(int64_t x, int64_t least, int64_t most) { return x < least ? least : x < most ? x : most; }

/* Of the keys, where what a query may see ends. */
static inline int64_t keys_seen(const struct attention *w, int64_t position) {
  return clip(position + w->reach, 0, w->key_length);
}

/* Keys from `begin` to `end`. */
struct span {
  int64_t begin, end;
};

/* What a query sees: its range, cut by what it may see. */
static inline struct span span_of(const struct attention *w, int64_t batch, int64_t position) {
  const int64_t end = keys_seen(w, position);
  if (w->ranges == 0) return (struct span){0, end};
  const int32_t *range = w->ranges + 2 * (batch * w->query_length + position);
  return (struct span){clip(range[0], 0, end), clip(range[1], 0, end)};
}

/* Where there are ranges: what one pair of vectors of queries sees together, and what each of its queries sees. */
struct pair_sight {
  struct span any, each;
};

/* What a block of queries sees. Lanes of queries that do not exist see nothing. */
struct sight {
  struct span all;
  struct pair_sight pairs[QUERIES / PAIR];
  float lower[QUERIES], upper[QUERIES];
};

static void look(struct sight *s, const struct attention *w, int64_t batch, int64_t first, int64_t count) {
  s->all = (struct span){0, keys_seen(w, first + count - 1)};
  if (w->ranges == 0) return;
  s->all = (struct span){w->key_length, 0};
  for (int p = 0; p < QUERIES / PAIR; p++)
    s->pairs[p] = (struct pair_sight){.any = {w->key_length, 0}, .each = {0, w->key_length}};
  for (int64_t q = 0; q < QUERIES; q++) {
    s->lower[q] = s->upper[q] = 0;
    if (q >= count) continue;
    const struct span seen = span_of(w, batch, first + q);
    struct pair_sight *pair = &s->pairs[q / PAIR];
    pair->each.begin = seen.begin > pair->each.begin ? seen.begin : pair->each.begin;
    pair->each.end = seen.end < pair->each.end ? seen.end : pair->each.end;
    if (seen.begin >= seen.end) {
      pair->each.end = 0;
      continue;
    }
    s->lower[q] = (float)seen.begin, s->upper[q] = (float)seen.end;
    pair->any.begin = seen.begin < pair->any.begin ? seen.begin : pair->any.begin;
    pair->any.end = seen.end > pair->any.end ? seen.end : pair->any.end;
    s->all.begin = seen.begin < s->all.begin ? seen.begin : s->all.begin;
    s->all.end = seen.end > s->all.end ? seen.end : s->all.end;
  }
}

#define LOG2_E 0x1.715476p+0f
#define LN_2 0x1.62e43p-1f

/* 2^x for x up to 0; 0 below 2^-126, 1 at 0, NaN for NaN, whose bits the sum would change. Relative error 9e-8 before rounding. */
INLINE floats exp2_negative(floats x) {
  const floats shifted = x + floats_all(0x1.8p23f); /* the integer next to x, in the lowest bits */
  const floats rest = x - (shifted - floats_all(0x1.8p23f));
  floats sum = floats_all(0.001326472731307149f);
  sum = multiply_add(sum, rest, floats_all(0.009671512991189957f));
  sum = multiply_add(sum, rest, floats_all(0.05550733581185341f));
  sum = multiply_add(sum, rest, floats_all(0.24022242426872253f));
  sum = multiply_add(sum, rest, floats_all(0.6931470036506653f));
  sum = multiply_add(sum, rest, floats_all(1));
  const floats power = (floats)((floats_bits)sum + ((floats_bits)shifted << 23));
  return floats_choose(x >= floats_all(-126), power, floats_greater(floats_all(0), x));
}

/* log(total 2^exponent): -infinity for a total of 0, NaN for NaN. */
INLINE floats natural_log(floats total, floats exponent) {
  const floats_bits bits = (floats_bits)total - 0x3f3504f3; /* of sqrt(1/2): the mantissa is brought to [sqrt(1/2), sqrt(2)) */
  const floats f = (floats)((bits & 0x7fffff) + 0x3f3504f3) - floats_all(1);
  floats sum = floats_all(7.0376836292e-2f);
  sum = multiply_add(sum, f, floats_all(-1.1514610310e-1f));
  sum = multiply_add(sum, f, floats_all(1.1676998740e-1f));
  sum = multiply_add(sum, f, floats_all(-1.2420140846e-1f));
  sum = multiply_add(sum, f, floats_all(1.4249322787e-1f));
  sum = multiply_add(sum, f, floats_all(-1.6668057665e-1f));
  sum = multiply_add(sum, f, floats_all(2.0000714765e-1f));
  sum = multiply_add(sum, f, floats_all(-2.4999993993e-1f));
  sum = multiply_add(sum, f, floats_all(3.3333331174e-1f));
  const floats square = f * f, rest = f - (floats_all(0.5f) * square - sum * square * f);
  const floats log = multiply_add(exponent + __builtin_convertvector(bits >> 23, floats), floats_all(LN_2), rest);
  return floats_choose(total > floats_all(0), log, floats_choose(total == floats_all(0), floats_all(-__builtin_inff()), total));
}

/* The numbers of the lanes, from `first` on. */
INLINE floats lane_numbers(int64_t first) { return (floats){EACH_LANE(FLOAT_OF, 0)} + floats_all((float)first); }

/*
 * Which keys of a block two vectors of queries see, counted from key `from` of the block: those below `both` the two,
 * those below `second` it alone; those below `whole` need no look at `lower` and `upper`, the bounds of each query.
 */
struct reach {
  int64_t from, whole, both, second;
  floats lower[2], upper[2];
};

/* Of the queries from `lane` on in the block at `first`, of which `count` exist; `from` is a multiple of `step`. */
static inline struct reach reach_of(const struct attention *w, const struct sight *sight, int64_t first, int64_t lane,
                                    int64_t count, int64_t key, int64_t keys, int64_t step) {
  if (w->ranges != 0) {
    const struct pair_sight *pair = &sight->pairs[lane / PAIR];
    const int64_t from = clip(pair->any.begin - key, 0, keys) / step * step, to = clip(pair->any.end - key, 0, keys);
    const int64_t some = to > from && pair->any.end > pair->any.begin ? to - from : 0;
    const int whole = pair->each.begin <= key + from && pair->each.end >= key + to;
    const floats shift = floats_all((float)(key + from));
    return (struct reach){from, whole ? some : 0, some, some,
                          {floats_load(sight->lower + lane) - shift, floats_load(sight->lower + lane + LANES) - shift},
                          {floats_load(sight->upper + lane) - shift, floats_load(sight->upper + lane + LANES) - shift}};
  }
  const int64_t last = count - 1, middle = lane + LANES - 1, end = lane + PAIR - 1;
  const int64_t whole = clip(keys_seen(w, first + (lane < last ? lane : last)) - key, 0, keys);
  const int64_t both = clip(keys_seen(w, first + (middle < last ? middle : last)) - key, 0, keys);
  const int64_t second = clip(keys_seen(w, first + (end < last ? end : last)) - key, 0, keys);
  const floats upper = lane_numbers(first + lane + w->reach - key);
  return (struct reach){0, whole, both, second, {floats_all(0), floats_all(0)}, {upper, upper + floats_all(LANES)}};
}

/* target[q * time + d] = factors[q] * from[d * QUERIES + q] for d < width, q < count; `from` is spent. */
static NOINLINE void transpose_out(float *from, const float *factors, int64_t width, int64_t count, float *target,
                                   int64_t time) {
  for (int64_t d = 0; d < width; d++)
    for (int64_t q = 0; q < QUERIES; q++) from[d * QUERIES + q] *= factors[q];
  for (int64_t q = 0; q < QUERIES && q < count; q += LANES) {
    float rows[LANES * LANES];
    const int64_t some = count - q < LANES ? count - q : LANES;
    for (int64_t d = 0; d < width; d += LANES) {
      const int64_t rest = width - d < LANES ? width - d : LANES;
      transpose_block(from + d * QUERIES + q, QUERIES, rest, rows, LANES, LANES, LANES);
      for (int64_t i = 0; i < some; i++) memcpy(target + (q + i) * time + d, rows + i * LANES, 4 * (size_t)rest);
    }
  }
}

/* scores[j][q] = lines[j] . columns[:, q] for the keys from first to last, and one or two vectors of queries. */
#define SCORE_TILE(rows, vectors)                                                                                 \
  {                                                                                                               \
    floats sums[rows][vectors];                                                                                   \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = (floats){0};       \
    multiply_tile(rows, vectors, 0, lines + j * line, line, 1, columns, QUERIES, depth, sums);                    \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)                                \
      floats_store(scores + (j + r) * QUERIES + v * LANES, sums[r][v]);                                           \
    j += rows;                                                                                                    \
  }
static NOINLINE void score_pair(const float *lines, int64_t line, const float *columns, int64_t depth, int64_t first,
                                int64_t last, float *scores) {
  for (int64_t j = first; j < last;) {
    const int64_t rest = last - j;
    const int eights = TILE_ROWS == 14 && (rest == 16 || rest == 20 || rest == 24); /* else two rows would be left */
    if (rest >= TILE_ROWS && !eights) SCORE_TILE(TILE_ROWS, 2)
    else if (TILE_ROWS > 8 && rest >= 8) SCORE_TILE(8, 2)
    else if (rest >= 4) SCORE_TILE(4, 2)
    else SCORE_TILE(1, 2)
  }
}

static NOINLINE void score_one(const float *lines, int64_t line, const float *columns, int64_t depth, int64_t first,
                               int64_t last, float *scores) {
  for (int64_t j = first; j < last;) {
    if (last - j >= 8) SCORE_TILE(8, 1)
    else SCORE_TILE(1, 1)
  }
}

/* sums = correction * sums + lines^T weights, for one pair of vectors of queries; `rows` numbers of each line. */
INLINE void mix_lines(const int rows, const float *lines, int64_t time, const float *weights, struct reach seen,
                      const floats *correction, float *sums) {
  floats tile[rows][2];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < 2; v++)
    tile[r][v] = floats_load(sums + r * QUERIES + v * LANES) * correction[v];
  multiply_tile(rows, 2, 0, lines, 1, time, weights, QUERIES, seen.both, tile);
  floats second[rows][1];
  UNROLL for (int r = 0; r < rows; r++) second[r][0] = tile[r][1];
  multiply_tile(rows, 1, 0, lines + seen.both * time, 1, time, weights + seen.both * QUERIES + LANES, QUERIES,
                seen.second - seen.both, second);
  UNROLL for (int r = 0; r < rows; r++) {
    floats_store(sums + r * QUERIES, tile[r][0]);
    floats_store(sums + r * QUERIES + LANES, second[r][0]);
  }
}

/* Asks for lines before they are needed: strides defeat the processor's own guess. */
static inline void prefetch_lines(const float *lines, int64_t line, int64_t width, int64_t count) {
  for (int64_t j = 0; j < count; j++)
    for (int64_t d = 0; d < width; d += 16) __builtin_prefetch(lines + j * line + d, 0, 2);
}
#endif

/* The width of a head, cut into the fewest tiles of nearly equal height. */
#undef D_TILES
#undef D_TILE
#undef D_REST
#undef D_EQUAL
#define D_TILES ((HEAD_DIM + TILE_ROWS - 1) / TILE_ROWS)
#define D_TILE ((HEAD_DIM + D_TILES - 1) / D_TILES)
#define D_REST (HEAD_DIM - (D_TILES - 1) * D_TILE)
#define D_EQUAL (D_TILES - (D_REST != D_TILE))
