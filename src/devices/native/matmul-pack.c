/*
 * Packs B: each panel holds, row after row, PANEL neighbouring columns, zero past the last. A work item is a group of
 * panels.
 */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct matmul w = read_matmul(args);
  const int64_t groups = (w.panels + GROUP - 1) / GROUP;
  for (int64_t item = begin; item < end; item++) {
    const int64_t batch = item / groups, column = item % groups * GROUP * PANEL;
    pack_panels(w.b + batch * w.b_batch + column * w.b_column, w.b_column, w.b_row, least(GROUP * PANEL, w.n - column),
                PANEL, w.k, w.packed + (batch * w.panels * PANEL + column) * w.k, w.k);
  }
}
