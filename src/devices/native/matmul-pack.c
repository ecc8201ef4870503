/*
 * Packs A, else B: each panel holds, for one k after the other, TILE_ROWS rows or PANEL columns, zero past the last. A
 * work item is a group of panels, and a part of k.
 */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int is_a = w.read_a == SHARED;
  const int64_t size = is_a ? w.m : w.n, group = is_a ? GROUP_ROWS : GROUP_COLUMNS, panel = is_a ? TILE_ROWS : PANEL;
  const int64_t line = is_a ? w.a_row : w.b_column, step = is_a ? w.a_column : w.b_row;
  const int64_t parts = (w.k + GROUP_DEPTH - 1) / GROUP_DEPTH, groups = (size + group - 1) / group;
  for (int64_t item = begin; item < end; item++) {
    const int64_t k = item % parts * GROUP_DEPTH, first = item / parts % groups * group, batch = item / parts / groups;
    const float *lines = is_a ? w.a + batch * w.a_batch : w.b + batch * w.b_batch;
    float *packed = (is_a ? w.packed_a : w.packed_b) + (batch * round_up(size, panel) + first) * w.k + k * panel;
    pack_panels(lines + first * line + k * step, line, step, least(group, size - first), panel,
                least(GROUP_DEPTH, w.k - k), packed, w.k);
  }
}
