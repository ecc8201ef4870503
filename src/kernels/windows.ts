/** Vertical, horizontal. */
export type Pair = readonly [vertical: number, horizontal: number];

/**
 * How windows lie on an image: the window of row y and column x begins `stride` times them, less `padding`, and takes
 * pixels `dilation` apart. Pixels outside of the image are 0.
 */
export interface WindowShape {
  readonly stride: Pair;
  /** Before the first pixel; what windows need behind the last one follows. */
  readonly padding: Pair;
  readonly dilation: Pair;
}
