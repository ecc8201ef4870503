/* Windows added up into images, where channels lie side by side. An item is a row of an image: no other writes there. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  float *const all_images = ADDRESS(float, args[0]), *const all_windows = ADDRESS(float, args[1]);
  const int accumulate = args[2] != 0;
  CONSTANTS
  for (int64_t item = begin; item < end; item++) {
    const int64_t y = item % HEIGHT, i = item / HEIGHT;
    float *image = all_images + i * IMAGE + y * PIXEL_ROW;
    const float *windows = all_windows + i * WINDOW_IMAGE;
    if (!accumulate)
      for (int64_t x = 0; x < WIDTH; x++) memset(image + x * PIXEL, 0, sizeof(float) * CHANNELS);
    for (int64_t ky = 0; ky < KERNEL_HEIGHT; ky++) {
      const int64_t begins = y + PADDING_Y - ky * DILATION_Y, row = begins / STRIDE_Y;
      if (begins < 0 || begins % STRIDE_Y != 0 || row >= ROWS) continue;
      for (int64_t column = 0; column < COLUMNS; column++) {
        for (int64_t kx = 0; kx < KERNEL_WIDTH; kx++) {
          const int64_t x = column * STRIDE_X - PADDING_X + kx * DILATION_X;
          if (x < 0 || x >= WIDTH) continue;
          float *restrict to = image + x * PIXEL;
          const float *restrict from =
              windows + row * WINDOW_ROW + ky * WINDOW_KY + kx * WINDOW_KX + column * WINDOW_COLUMN;
          for (int64_t c = 0; c < CHANNELS; c++) to[c] += from[c];
        }
      }
    }
  }
  (void)scratch;
}
