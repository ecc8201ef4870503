/* Images into windows. An item is a channel of an image. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  float *const all_images = ADDRESS(float, args[0]), *const all_windows = ADDRESS(float, args[1]);
  CONSTANTS
  for (int64_t item = begin; item < end; item++) {
    const int64_t i = item % IMAGES, channel = item / IMAGES;
    const float *image = all_images + i * IMAGE + channel * CHANNEL;
    float *windows = all_windows + i * WINDOW_IMAGE + channel * WINDOW_CHANNEL;
    for (int64_t ky = 0; ky < KERNEL_HEIGHT; ky++) {
#pragma GCC unroll 8
      for (int64_t kx = 0; kx < KERNEL_WIDTH; kx++) {
        const int64_t start = kx * DILATION_X - PADDING_X;
        const int64_t first = first_from(0, start, STRIDE_X, COLUMNS), last = first_from(WIDTH, start, STRIDE_X, COLUMNS);
        for (int64_t row = 0; row < ROWS; row++) {
          const int64_t y = row * STRIDE_Y - PADDING_Y + ky * DILATION_Y;
          float *restrict to = windows + ky * WINDOW_KY + kx * WINDOW_KX + row * WINDOW_ROW;
          if (y < 0 || y >= HEIGHT) {
            for (int64_t x = 0; x < COLUMNS; x++) to[x * WINDOW_COLUMN] = 0;
            continue;
          }
          const float *restrict from = image + y * PIXEL_ROW + start * PIXEL;
          for (int64_t x = 0; x < first; x++) to[x * WINDOW_COLUMN] = 0;
          for (int64_t x = first; x < last; x++) to[x * WINDOW_COLUMN] = from[x * STRIDE_X * PIXEL];
          for (int64_t x = last; x < COLUMNS; x++) to[x * WINDOW_COLUMN] = 0;
        }
      }
    }
  }
  (void)scratch;
}
