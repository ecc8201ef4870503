/* Images into windows, where channels lie side by side. An item is a row of an image's windows. */
void KERNEL(const double *args, int64_t begin, int64_t end, char *scratch) {
  float *const all_images = ADDRESS(float, args[0]), *const all_windows = ADDRESS(float, args[1]);
  CONSTANTS
  for (int64_t item = begin; item < end; item++) {
    const int64_t row = item % ROWS, i = item / ROWS;
    const float *image = all_images + i * IMAGE;
    float *windows = all_windows + i * WINDOW_IMAGE + row * WINDOW_ROW;
    for (int64_t column = 0; column < COLUMNS; column++) {
      for (int64_t ky = 0; ky < KERNEL_HEIGHT; ky++) {
        const int64_t y = row * STRIDE_Y - PADDING_Y + ky * DILATION_Y;
        for (int64_t kx = 0; kx < KERNEL_WIDTH; kx++) {
          const int64_t x = column * STRIDE_X - PADDING_X + kx * DILATION_X;
          float *to = windows + ky * WINDOW_KY + kx * WINDOW_KX + column * WINDOW_COLUMN;
          if (y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH)
            memcpy(to, image + y * PIXEL_ROW + x * PIXEL, sizeof(float) * CHANNELS);
          else
            memset(to, 0, sizeof(float) * CHANNELS);
        }
      }
    }
  }
  (void)scratch;
}
