/* The arguments of unfold and fold, in the order of `windowNumbers`; strides in elements. */
#ifndef SLUICE_WINDOWS
#define SLUICE_WINDOWS
struct windows {
  float *image, *windows;
  int64_t channels_inner, images, channels, height, width, kernel_height, kernel_width, rows, columns;
  int64_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  int64_t image_stride, channel_stride, pixel_row, pixel;
  int64_t window_channel, window_ky, window_kx, window_image, window_row, window_column;
};

static inline struct windows read_windows(const double *w) {
  return (struct windows){
      .image = ADDRESS(float, w[0]), .windows = ADDRESS(float, w[1]), .channels_inner = w[2],
      .images = w[3], .channels = w[4], .height = w[5], .width = w[6], .kernel_height = w[7], .kernel_width = w[8],
      .rows = w[9], .columns = w[10], .stride_y = w[11], .stride_x = w[12], .padding_y = w[13], .padding_x = w[14],
      .dilation_y = w[15], .dilation_x = w[16], .image_stride = w[17], .channel_stride = w[18], .pixel_row = w[19],
      .pixel = w[20], .window_channel = w[21], .window_ky = w[22], .window_kx = w[23], .window_image = w[24],
      .window_row = w[25], .window_column = w[26],
  };
}

/* The least i, 0 to count, with i stride + start >= bound. */
static inline int64_t first_from(int64_t bound, int64_t start, int64_t stride, int64_t count) {
  const int64_t i = bound <= start ? 0 : (bound - start + stride - 1) / stride;
  return i < count ? i : count;
}
#endif
