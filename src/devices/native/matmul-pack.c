/*
 * Packs A, else B: each panel holds, for one k after the other, TILE_ROWS rows or PANEL columns, zero past the last. A
 * work item is a group of panels.
 */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  for (int64_t item = begin; item < end; item++) {
    if (w.read_a == SHARED) {
      const int64_t groups = (w.m + GROUP_ROWS - 1) / GROUP_ROWS, batch = item / groups, row = item % groups * GROUP_ROWS;
      pack_panels(w.a + batch * w.a_batch + row * w.a_row, w.a_row, w.a_column, least(GROUP_ROWS, w.m - row), TILE_ROWS,
                  w.k, w.packed_a + (batch * round_up(w.m, TILE_ROWS) + row) * w.k, w.k);
    } else {
      const int64_t groups = (w.n + GROUP_COLUMNS - 1) / GROUP_COLUMNS, batch = item / groups;
      const int64_t column = item % groups * GROUP_COLUMNS;
      pack_panels(w.b + batch * w.b_batch + column * w.b_column, w.b_column, w.b_row,
                  least(GROUP_COLUMNS, w.n - column), PANEL, w.k, w.packed_b + (batch * round_up(w.n, PANEL) + column) * w.k,
                  w.k);
    }
  }
}
