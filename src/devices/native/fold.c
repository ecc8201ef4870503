/*
 * Windows added up into images. An item is a channel of an image; where channels lie side by side, a row of an image: no
 * other item writes there.
 */
static inline void fold_plane(const struct windows *w, float *image, const float *windows) {
  for (int64_t ky = 0; ky < w->kernel_height; ky++) {
    for (int64_t kx = 0; kx < w->kernel_width; kx++) {
      const int64_t start = kx * w->dilation_x - w->padding_x;
      const int64_t first = first_from(0, start, w->stride_x, w->columns);
      const int64_t last = first_from(w->width, start, w->stride_x, w->columns);
      const int64_t to_step = w->stride_x * w->pixel, from_step = w->window_column;
      for (int64_t row = 0; row < w->rows; row++) {
        const int64_t y = row * w->stride_y - w->padding_y + ky * w->dilation_y;
        if (y < 0 || y >= w->height) continue;
        float *restrict to = image + y * w->pixel_row + start * w->pixel;
        const float *restrict from = windows + ky * w->window_ky + kx * w->window_kx + row * w->window_row;
        if (from_step == 1 && to_step == 1)
          for (int64_t x = first; x < last; x++) to[x] += from[x];
        else
          for (int64_t x = first; x < last; x++) to[x * to_step] += from[x * from_step];
      }
    }
  }
}

static inline void fold_row(const struct windows *w, float *image, const float *windows, int64_t y) {
  for (int64_t ky = 0; ky < w->kernel_height; ky++) {
    const int64_t begins = y + w->padding_y - ky * w->dilation_y;
    if (begins < 0 || begins % w->stride_y != 0 || begins / w->stride_y >= w->rows) continue;
    for (int64_t column = 0; column < w->columns; column++) {
      for (int64_t kx = 0; kx < w->kernel_width; kx++) {
        const int64_t x = column * w->stride_x - w->padding_x + kx * w->dilation_x;
        if (x < 0 || x >= w->width) continue;
        float *restrict to = image + x * w->pixel;
        const float *restrict from = windows + begins / w->stride_y * w->window_row + ky * w->window_ky +
                                     kx * w->window_kx + column * w->window_column;
        for (int64_t c = 0; c < w->channels; c++) to[c] += from[c];
      }
    }
  }
}

/* The pixels that a part of an image has begin at 0, unless they are added to. */
static inline void clear_pixels(const struct windows *w, float *image, int64_t rows, int64_t channels) {
  for (int64_t y = 0; y < rows; y++)
    for (int64_t x = 0; x < w->width; x++)
      for (int64_t c = 0; c < channels; c++) image[y * w->pixel_row + x * w->pixel + c] = 0;
}

void sluice_fold(const double *args, int64_t begin, int64_t end, char *scratch) {
  const struct windows w = read_windows(args);
  const int accumulate = args[27] != 0;
  for (int64_t item = begin; item < end; item++) {
    const int64_t parts = w.channels_inner ? w.height : w.images, part = item % parts, whole = item / parts;
    if (w.channels_inner) {
      float *row = w.image + whole * w.image_stride + part * w.pixel_row;
      if (!accumulate) clear_pixels(&w, row, 1, w.channels);
      fold_row(&w, row, w.windows + whole * w.window_image, part);
    } else {
      float *plane = w.image + part * w.image_stride + whole * w.channel_stride;
      if (!accumulate) clear_pixels(&w, plane, w.height, 1);
      fold_plane(&w, plane, w.windows + part * w.window_image + whole * w.window_channel);
    }
  }
  (void)scratch;
}
