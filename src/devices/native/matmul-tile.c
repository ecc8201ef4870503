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
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#if TILE_ROWS == 14
TILES(14)
#elif TILE_ROWS == 12
TILES(12)
#else
TILES(6)
#endif
#if TILE_ROWS > 8
TILES(8)
#endif
TILES(4) TILES(1)

typedef void NAME(tile_function)(const struct NAME(tile) *);
#define HEIGHT(rows) {rows, {NAME(tile_##rows##_1), NAME(tile_##rows##_2)}}
/* Tiles of one and of two vectors, the highest first. */
static const struct {
  int rows;
  NAME(tile_function) *tiles[2];
} NAME(heights)[] = {
#if TILE_ROWS == 14
  HEIGHT(14), HEIGHT(8),
#elif TILE_ROWS == 12
  HEIGHT(12), HEIGHT(8),
#else
  HEIGHT(6),
#endif
  HEIGHT(4), HEIGHT(1),
};

/* A tile of which only the first columns are wanted. */
static void NAME(edge)(NAME(tile_function) *tile, const struct NAME(tile) *t, int rows, int64_t columns) {
  _Alignas(64) float edge[TILE_ROWS * PANEL];
  struct NAME(tile) e = *t;
  e.c = edge, e.c_row = PANEL, e.add = 0;
  tile(&e);
  for (int r = 0; r < rows; r++)
    for (int64_t j = 0; j < columns; j++) {
      float *c = t->c + r * t->c_row + j;
      *c = t->add ? *c + edge[r * PANEL + j] : edge[r * PANEL + j];
    }
}

/* Strips of C, one below the other, of the greatest height that fits: each from left to right, as memory has it. */
static void NAME(strips)(struct NAME(tile) t, int64_t a_panel, int64_t b_panel, int64_t rows, int64_t columns) {
  const float *a = t.a, *b = t.b;
  float *c = t.c;
  for (int64_t row = 0, kind = 0; row < rows;) {
    const int height = NAME(heights)[kind].rows;
    if (row + height > rows) { kind++; continue; }
    t.a = a + row / TILE_ROWS * a_panel + row % TILE_ROWS * t.line; /* a panel that is not full has tiles below tiles */
    for (int64_t column = 0; column < columns; column += PANEL) {
      const int64_t width = least(PANEL, columns - column);
      const int vectors = width > LANES ? 2 : 1;
      NAME(tile_function) *const tile = NAME(heights)[kind].tiles[vectors - 1];
      t.b = b + column / PANEL * b_panel;
      t.c = c + row * t.c_row + column;
      if (width == vectors * LANES) tile(&t);
      else NAME(edge)(tile, &t, height, width);
    }
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

/* Columns of B as the tiles read them; returns the step from one panel to the next. */
static int64_t NAME(place_b)(const struct matmul *w, const struct NAME(part) *p, int64_t k, int64_t column,
                             int64_t columns, float *packed, struct NAME(tile) *t) {
  const float *b = w->b + p->batch * w->b_batch + k * w->b_row + column * w->b_column;
  if (w->read_b == DIRECT) {
    t->b = b, t->b_step = w->b_row;
    return PANEL;
  }
  t->b_step = PANEL;
  if (w->read_b == SHARED) {
    t->b = w->packed_b + (p->batch * round_up(w->n, PANEL) + column) * w->k + k * PANEL;
    return PANEL * w->k;
  }
  pack_panels(b, w->b_column, w->b_row, columns, PANEL, t->depth, packed, t->depth);
  t->b = packed;
  return PANEL * t->depth;
}

/* The part's sums over k to k + depth, by groups of columns whose B stays in the second-level cache. */
static void NAME(block)(const struct matmul *w, const struct NAME(part) *p, int64_t k, int64_t depth, float *scratch) {
  struct NAME(tile) t = {.c_row = w->c_row, .depth = depth, .add = w->accumulate || k > 0};
  const int64_t a_panel = NAME(place_a)(w, p, k, scratch + GROUP_COLUMNS * w->depth, &t);
  const int64_t most = w->read_b == OWN ? GROUP_COLUMNS : round_up(GROUP_NUMBERS / (depth + 1), PANEL);
  for (int64_t column = p->from; column < p->to; column += most) {
    const int64_t columns = least(most, p->to - column);
    const int64_t b_panel = NAME(place_b)(w, p, k, column, columns, scratch, &t);
    t.c = w->c + p->batch * w->c_batch + p->first * w->c_row + column;
    NAME(strips)(t, a_panel, b_panel, p->last - p->first, columns);
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
