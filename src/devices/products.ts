/** Elements from one matrix of a batch to the next, from a row to the next, and from a column to the next. */
interface Strides {
  readonly batchStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** C = A B for a batch of matrices; numbers of a row of C are neighbours, which is its column stride where it has one. */
interface Product {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly a: Strides;
  readonly b: Strides;
  readonly c: Omit<Strides, 'columnStride'>;
}

const turned = <S extends Strides>(matrix: S): S => ({
  ...matrix,
  rowStride: matrix.columnStride,
  columnStride: matrix.rowStride,
});

/** A column is a row of the transposed product, where its numbers are neighbours. */
export function turnColumn<P extends Product>(product: P): P {
  const { m, n, a, b, c } = product;
  if (n !== 1 || m === 1 || c.rowStride !== 1) return product;
  return { ...product, m: 1, n: m, a: turned(b), b: turned(a), c: { ...c, rowStride: m, columnStride: 1 } };
}

/** A batch whose B is the same throughout and whose A and C run on is one taller product. */
export function foldBatch<P extends Product>(product: P): P {
  const { batch, m, a, b, c } = product;
  if (batch === 1 || b.batchStride !== 0) return product;
  if (a.batchStride !== m * a.rowStride || c.batchStride !== m * c.rowStride) return product;
  return { ...product, batch: 1, m: batch * m };
}
