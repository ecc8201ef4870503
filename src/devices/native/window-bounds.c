#ifndef SLUICE_WINDOWS
#define SLUICE_WINDOWS
/* The least i, 0 to count, with i stride + start >= bound. */
static inline int64_t first_from(int64_t bound, int64_t start, int64_t stride, int64_t count) {
  const int64_t i = bound <= start ? 0 : (bound - start + stride - 1) / stride;
  return i < count ? i : count;
}
#endif
