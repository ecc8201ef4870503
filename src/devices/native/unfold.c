/*
 * Images into windows. An item is a channel of an image; where channels lie side by side, a row of an image's windows.
 */
static inline void unfold_plane(const struct windows *w, const float *image, float *windows) {
  for (int64_t ky = 0; ky < w->kernel_height; ky++) {
    for (int64_t kx = 0; kx < w->kernel_width; kx++) {
      const int64_t start = kx * w->dilation_x - w->padding_x;
      const int64_t first = first_from(0, start, w->stride_x, w->columns);
      const int64_t last = first_from(w->width, start, w->stride_x, w->columns);
      const int64_t from_step = w->stride_x * w->pixel, to_step = w->window_column;
      for (int64_t row = 0; row < w->rows; row++) {
        const int64_t y = row * w->stride_y - w->padding_y + ky * w->dilation_y;
        const int inside = y >= 0 && y < w->height;
        const int64_t begin = inside ? first : w->columns, end = inside ? last : w->columns;
        const float *from = image + y * w->pixel_row + start * w->pixel;
        float *to = windows + ky * w->window_ky + kx * w->window_kx + row * w->window_row;
        for (int64_t x = 0; x < begin; x++) to[x * to_step] = 0;
        if (from_step == 1 && to_step == 1)
          for (int64_t x = begin; x < end; x++) to[x] = from[x];
        else
          for (int64_t x = begin; x < end; x++) to[x * to_step] = from[x * from_step];
        for (int64_t x = end; x < w->columns; x++) to[x * to_step] = 0;
      }
    }
  }
}

static inline void unfold_row(const struct windows *w, const float *image, float *windows, int64_t row) {
  const size_t bytes = sizeof(float) * (size_t)w->channels;
  for (int64_t column = 0; column < w->columns; column++) {
    for (int64_t ky = 0; ky < w->kernel_height; ky++) {
      const int64_t y = row * w->stride_y - w->padding_y + ky * w->dilation_y;
      for (int64_t kx = 0; kx < w->kernel_width; kx++) {
        const int64_t x = column * w->stride_x - w->padding_x + kx * w->dilation_x;
        float *to = windows + ky * w->window_ky + kx * w->window_kx + column * w->window_column;
        if (y >= 0 && y < w->height && x >= 0 && x < w->width)
          memcpy(to, image + y * w->pixel_row + x * w->pixel, bytes);
        else
          memset(to, 0, bytes);
      }
    }
  }
}

void sluice_unfold(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct windows w = read_windows(args);
  for (int64_t item = begin; item < end; item++) {
    if (w.channels_inner) {
      const int64_t row = item % w.rows, i = item / w.rows;
      unfold_row(&w, w.image + i * w.image_stride, w.windows + i * w.window_image + row * w.window_row, row);
    } else {
      const int64_t i = item % w.images, channel = item / w.images;
      unfold_plane(&w, w.image + i * w.image_stride + channel * w.channel_stride,
                   w.windows + i * w.window_image + channel * w.window_channel);
    }
  }
  (void)scratch;
}
