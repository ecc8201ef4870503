/*
 * C = A B, or C += A B, in tiles that stay in registers. A work item is a block of C; each of its numbers is summed in
 * the order of k, in parts of `depth`, whatever the blocks are.
 */
struct NAME(tile) {
  const float *a, *b;
  float *c;
  int64_t line, step, b_step, c_row, depth, add;
};

/* A tile whose A goes by rows (step is 1) or by columns (line is 1). */
#define TILE(rows, vectors)                                                                                      \
  static NOINLINE void NAME(tile_##rows##_##vectors)(const struct NAME(tile) *t) {                \
    floats sums[rows][vectors] = {0};                                                                               \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)                                \
      __builtin_prefetch(t->c + r * t->c_row + v * LANES, 1);                                                    \
    if (t->line == 1) multiply_tile(rows, vectors, AHEAD, t->a, 1, t->step, t->b, t->b_step, t->depth, sums);           \
    else multiply_tile(rows, vectors, AHEAD, t->a, t->line, 1, t->b, t->b_step, t->depth, sums);                        \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) {                             \
      float *c = t->c + r * t->c_row + v * LANES;                                                                \
      floats_store(c, t->add ? floats_load(c) + sums[r][v] : sums[r][v]);                                                      \
    }                                                                                                            \
  }
#if TILE_ROWS == 14
TILE(14, 2) TILE(14, 1)
#elif TILE_ROWS == 12
TILE(12, 2) TILE(12, 1)
#else
TILE(6, 2) TILE(6, 1)
#endif
#if TILE_ROWS > 8
TILE(8, 2)
#endif
TILE(4, 2) TILE(4, 1) TILE(1, 2) TILE(1, 1)

typedef void NAME(tile_function)(const struct NAME(tile) *);
static const struct {
  int rows;
  NAME(tile_function) *tile;
} NAME(heights)[2][4] = {
#if TILE_ROWS == 14
  {{14, NAME(tile_14_1)}, {4, NAME(tile_4_1)}, {1, NAME(tile_1_1)}},
  {{14, NAME(tile_14_2)}, {8, NAME(tile_8_2)}, {4, NAME(tile_4_2)}, {1, NAME(tile_1_2)}},
#elif TILE_ROWS == 12
  {{12, NAME(tile_12_1)}, {4, NAME(tile_4_1)}, {1, NAME(tile_1_1)}},
  {{12, NAME(tile_12_2)}, {8, NAME(tile_8_2)}, {4, NAME(tile_4_2)}, {1, NAME(tile_1_2)}},
#else
  {{6, NAME(tile_6_1)}, {4, NAME(tile_4_1)}, {1, NAME(tile_1_1)}},
  {{6, NAME(tile_6_2)}, {4, NAME(tile_4_2)}, {1, NAME(tile_1_2)}},
#endif
};

/* One panel of C: tiles of the greatest height that fits, one below the other. Columns past `width` go nowhere. */
static void NAME(panel)(struct NAME(tile) t, int64_t a_panel, int64_t rows, int64_t width) {
  const int vectors = width > LANES ? 2 : 1;
  const float *a = t.a;
  for (int64_t row = 0, kind = 0; row < rows;) {
    const int height = NAME(heights)[vectors - 1][kind].rows;
    if (row + height > rows) { kind++; continue; }
    t.a = a + row / TILE_ROWS * a_panel + row % TILE_ROWS * t.line; /* a panel that is not full has tiles below tiles */
    if (width == vectors * LANES) NAME(heights)[vectors - 1][kind].tile(&t);
    else {
      _Alignas(64) float edge[TILE_ROWS * PANEL];
      struct NAME(tile) e = t;
      e.c = edge, e.c_row = PANEL, e.add = 0;
      NAME(heights)[vectors - 1][kind].tile(&e);
      for (int r = 0; r < height; r++)
        for (int64_t j = 0; j < width; j++) {
          float *c = t.c + r * t.c_row + j;
          *c = t.add ? *c + edge[r * PANEL + j] : edge[r * PANEL + j];
        }
    }
    t.c += height * t.c_row;
    row += height;
  }
}

/* A part of C: rows first to last, columns from to to. */
struct NAME(part) {
  int64_t batch, first, last, from, to;
};

/* A as the tiles read it; returns the step from one panel of TILE_ROWS rows to the next. */
static int64_t NAME(place_a)(const struct matmul *w, const struct NAME(part) *p, int64_t k, float *packed,
                             struct NAME(tile) *t) {
  const float *a = w->a + p->batch * w->a_batch + p->first * w->a_row + k * w->a_column;
  if (w->read_a == DIRECT) {
    t->a = a, t->line = w->a_row, t->step = w->a_column;
    return TILE_ROWS * w->a_row;
  }
  t->line = 1, t->step = TILE_ROWS;
  if (w->read_a == SHARED) {
    t->a = w->packed_a + (p->batch * round_up(w->m, TILE_ROWS) + p->first) * w->k + k * TILE_ROWS;
    return TILE_ROWS * w->k;
  }
  pack_panels(a, w->a_row, w->a_column, p->last - p->first, TILE_ROWS, t->depth, packed, t->depth);
  t->a = packed;
  return TILE_ROWS * t->depth;
}

/* A panel of B as the tiles read it: OWN packs a group of them when its first is asked for. */
static void NAME(place_b)(const struct matmul *w, const struct NAME(part) *p, int64_t k, int64_t column, float *packed,
                          struct NAME(tile) *t) {
  const float *b = w->b + p->batch * w->b_batch + k * w->b_row + column * w->b_column;
  const int64_t place = (column - p->from) % GROUP_COLUMNS, columns = least(GROUP_COLUMNS - place, p->to - column);
  t->b_step = PANEL;
  if (w->read_b == SHARED) t->b = w->packed_b + (p->batch * round_up(w->n, PANEL) + column) * w->k + k * PANEL;
  else if (w->read_b == OWN) {
    if (place == 0) pack_panels(b, w->b_column, w->b_row, columns, PANEL, t->depth, packed, t->depth);
    t->b = packed + place * t->depth;
  } else if (columns >= PANEL) t->b = b, t->b_step = w->b_row;
  else { /* a tile reads whole vectors, which would reach past the end */
    pack_lines(b, w->b_column, w->b_row, columns, PANEL, t->depth, packed);
    t->b = packed;
  }
}

/* The part's sums over k to k + depth. */
static void NAME(block)(const struct matmul *w, const struct NAME(part) *p, int64_t k, int64_t depth, float *scratch) {
  struct NAME(tile) t = {.c_row = w->c_row, .depth = depth, .add = w->accumulate || k > 0};
  const int64_t a_panel = NAME(place_a)(w, p, k, scratch + GROUP_COLUMNS * w->depth, &t);
  for (int64_t column = p->from; column < p->to; column += PANEL) {
    NAME(place_b)(w, p, k, column, scratch, &t);
    t.c = w->c + p->batch * w->c_batch + p->first * w->c_row + column;
    NAME(panel)(t, a_panel, p->last - p->first, least(PANEL, p->to - column));
  }
}

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int64_t tiles = (w.m + TILE_ROWS - 1) / TILE_ROWS, panels = (w.n + PANEL - 1) / PANEL;
  for (int64_t item = begin; item < end; item++) {
    const int64_t row = item % w.row_blocks, rest = item / w.row_blocks, column = rest % w.column_blocks;
    const struct NAME(part) part = {
        .batch = rest / w.column_blocks,
        .first = row * tiles / w.row_blocks * TILE_ROWS,
        .last = least((row + 1) * tiles / w.row_blocks * TILE_ROWS, w.m),
        .from = column * panels / w.column_blocks * PANEL,
        .to = least((column + 1) * panels / w.column_blocks * PANEL, w.n),
    };
    int64_t k = 0;
    do NAME(block)(&w, &part, k, least(w.depth, w.k - k), (float *)scratch);
    while ((k += w.depth) < w.k);
  }
}
