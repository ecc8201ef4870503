/*
 * C = A B, or C += A B, in tiles that stay in registers. A work item is a block of C; each of its numbers is summed in
 * the order of k, in parts of `depth`, whatever the blocks are.
 */
#define NAME(part) NAME_OF(KERNEL, part)
#define NAME_OF(kernel, part) NAME_JOINED(kernel, part)
#define NAME_JOINED(kernel, part) kernel##_##part

struct NAME(tile) {
  const float *a, *b;
  float *c;
  int64_t line, step, b_step, c_row, depth, add;
};

/* A tile whose A goes by rows (step is 1) or by columns (line is 1). */
#define TILE(rows, vectors)                                                                                      \
  static __attribute__((noinline)) void NAME(tile_##rows##_##vectors)(const struct NAME(tile) *t) {                \
    vec sums[rows][vectors] = {0};                                                                               \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)                                \
      __builtin_prefetch(t->c + r * t->c_row + v * LANES, 1);                                                    \
    if (t->line == 1) multiply_tile(rows, vectors, t->a, 1, t->step, t->b, t->b_step, t->depth, sums);           \
    else multiply_tile(rows, vectors, t->a, t->line, 1, t->b, t->b_step, t->depth, sums);                        \
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) {                             \
      float *c = t->c + r * t->c_row + v * LANES;                                                                \
      store(c, t->add ? load(c) + sums[r][v] : sums[r][v]);                                                      \
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
TILES(4)
TILES(2)
TILES(1)

typedef void NAME(tile_function)(const struct NAME(tile) *);
#define TILES_OF(rows) {NAME(tile_##rows##_1), NAME(tile_##rows##_2)}
static const int NAME(heights)[] = {TILE_ROWS,
#if TILE_ROWS > 8
  8,
#endif
  4, 2, 1};
static NAME(tile_function) *const NAME(tiles)[][2] = {
#if TILE_ROWS == 14
  TILES_OF(14),
#elif TILE_ROWS == 12
  TILES_OF(12),
#else
  TILES_OF(6),
#endif
#if TILE_ROWS > 8
  TILES_OF(8),
#endif
  TILES_OF(4), TILES_OF(2), TILES_OF(1)};

/* One panel of C: tiles of the greatest height that fits, one below the other. Columns past `width` go nowhere. */
static void NAME(panel)(struct NAME(tile) t, int64_t a_panel, int64_t rows, int64_t width) {
  const int vectors = width > LANES ? 2 : 1;
  const float *a = t.a;
  for (int64_t row = 0, kind = 0; row < rows;) {
    const int height = NAME(heights)[kind];
    if (row + height > rows) { kind++; continue; }
    t.a = a + row / TILE_ROWS * a_panel + row % TILE_ROWS * t.line;
    if (width == vectors * LANES) NAME(tiles)[kind][vectors - 1](&t);
    else {
      _Alignas(64) float edge[TILE_ROWS * PANEL];
      struct NAME(tile) e = t;
      e.c = edge, e.c_row = PANEL, e.add = 0;
      NAME(tiles)[kind][vectors - 1](&e);
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

/* A part of C: rows first to last, panels from to to. */
struct NAME(part) {
  int64_t batch, first, last, from, to;
};

/* The part's sums over k to k + depth: A is packed by TILE_ROWS rows if that pays, B here if it is not yet. */
static void NAME(block)(const struct matmul *w, const struct NAME(part) *p, int64_t k, int64_t depth, float *scratch) {
  const float *a = w->a + p->batch * w->a_batch + p->first * w->a_row + k * w->a_column;
  const float *b = w->b + p->batch * w->b_batch + k * w->b_row;
  float *packed_b = scratch, *packed_a = scratch + GROUP * PANEL * w->depth;
  struct NAME(tile) t = {.a = a, .line = w->a_row, .step = w->a_column, .c_row = w->c_row, .depth = depth};
  t.add = w->accumulate || k > 0;
  int64_t a_panel = TILE_ROWS * w->a_row;
  if (w->pack_a) {
    pack_panels(a, w->a_row, w->a_column, p->last - p->first, TILE_ROWS, depth, packed_a, depth);
    t.a = packed_a, t.line = 1, t.step = TILE_ROWS, a_panel = TILE_ROWS * depth;
  }
  for (int64_t panel = p->from; panel < p->to; panel++) {
    const int64_t column = panel * PANEL, width = least(PANEL, w->n - column);
    const int direct = w->b_column == 1 && width % LANES == 0;
    t.b_step = PANEL;
    if (w->pack_b == SHARED) t.b = w->packed + ((p->batch * w->panels + panel) * w->k + k) * PANEL;
    else if (w->pack_b == DIRECT && direct) t.b = b + column, t.b_step = w->b_row;
    else {
      const int64_t place = (panel - p->from) % GROUP;
      if (place == 0 || (w->pack_b == DIRECT))
        pack_panels(b + column * w->b_column, w->b_column, w->b_row, least((p->to - panel) * PANEL, least(GROUP * PANEL, w->n - column)),
                    PANEL, depth, packed_b, depth);
      t.b = packed_b + (w->pack_b == DIRECT ? 0 : place) * PANEL * depth;
    }
    t.c = w->c + p->batch * w->c_batch + p->first * w->c_row + column;
    NAME(panel)(t, a_panel, p->last - p->first, width);
  }
}

void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int64_t tiles = (w.m + TILE_ROWS - 1) / TILE_ROWS;
  for (int64_t item = begin; item < end; item++) {
    const int64_t row = item % w.row_blocks, rest = item / w.row_blocks, column = rest % w.column_blocks;
    const struct NAME(part) part = {
        .batch = rest / w.column_blocks,
        .first = row * tiles / w.row_blocks * TILE_ROWS,
        .last = least((row + 1) * tiles / w.row_blocks * TILE_ROWS, w.m),
        .from = column * w.panels / w.column_blocks,
        .to = (column + 1) * w.panels / w.column_blocks,
    };
    for (int64_t k = 0; k < w.k; k += w.depth) NAME(block)(&w, &part, k, least(w.depth, w.k - k), (float *)scratch);
  }
}
