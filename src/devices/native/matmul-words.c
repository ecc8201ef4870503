/* The arguments of the matmul kernels, in the order of `matmulWords`; strides in elements. */
#ifndef SLUICE_MATMUL
#define SLUICE_MATMUL
#define PANEL (2 * LANES)    /* columns of a tile */
enum { AHEAD = 16 }; /* steps of k */
enum { GROUP_NUMBERS = 65536 }; /* of B, read again and again */
_Static_assert(PANEL <= MOST_PANEL && TILE_ROWS <= MOST_TILE_ROWS, "a launch gives panels their scratch memory");
_Static_assert(GROUP_COLUMNS % PANEL == 0 && GROUP_ROWS % TILE_ROWS == 0 && WHOLE_TILES % TILE_ROWS == 0,
               "what is packed together is whole panels");

struct matmul {
  int64_t m, n, k, a_batch, a_row, a_column, b_batch, b_row, b_column, c_batch, c_row, accumulate;
  int64_t depth, row_blocks, column_blocks, read_a, read_b;
  const float *a, *b;
  float *c, *packed_a, *packed_b;
};

static inline struct matmul read_matmul(const double *w) {
  return (struct matmul){
      .m = w[0], .n = w[1], .k = w[2], .a_batch = w[3], .a_row = w[4], .a_column = w[5],
      .b_batch = w[6], .b_row = w[7], .b_column = w[8], .c_batch = w[9], .c_row = w[10], .accumulate = w[11],
      .depth = w[12], .row_blocks = w[13], .column_blocks = w[14], .read_a = w[15], .read_b = w[16],
      .a = ADDRESS(const float, w[17]), .b = ADDRESS(const float, w[18]), .c = ADDRESS(float, w[19]),
      .packed_a = ADDRESS(float, w[20]), .packed_b = ADDRESS(float, w[21]),
  };
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t round_up(int64_t a, int64_t step) { return (a + step - 1) / step * step; }
#endif
