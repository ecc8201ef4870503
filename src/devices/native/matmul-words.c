/* The arguments of the matmul kernels, in the order of `matmulWords`; strides in elements. */
#ifndef SLUICE_MATMUL
#define SLUICE_MATMUL
#define PANEL (2 * LANES) /* columns of a tile */
#define GROUP 8 /* panels packed together */

/* How B is read: where it lies, packed beforehand, or packed by each work item for itself. */
enum { DIRECT, SHARED, OWN };

struct matmul {
  int64_t m, n, k, a_batch, a_row, a_column, b_batch, b_row, b_column, c_batch, c_row, accumulate;
  int64_t depth, row_blocks, column_blocks, pack_a, pack_b, panels;
  const float *a, *b;
  float *c, *packed;
};

static inline struct matmul read_matmul(const double *w) {
  return (struct matmul){
      .m = w[0], .n = w[1], .k = w[2], .a_batch = w[3], .a_row = w[4], .a_column = w[5],
      .b_batch = w[6], .b_row = w[7], .b_column = w[8], .c_batch = w[9], .c_row = w[10], .accumulate = w[11],
      .depth = w[12], .row_blocks = w[13], .column_blocks = w[14], .pack_a = w[15], .pack_b = w[16],
      .panels = (int64_t)(w[1] + PANEL - 1) / PANEL,
      .a = ADDRESS(const float, w[17]), .b = ADDRESS(const float, w[18]),
      .c = ADDRESS(float, w[19]), .packed = ADDRESS(float, w[20]),
  };
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
#endif
