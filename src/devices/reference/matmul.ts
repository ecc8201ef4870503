import type { View } from '../device.js';
import { accessor } from './walk.js';

export function matmul(a: View, b: View, c: View, accumulate: boolean): void {
  const [batch = 1, m = 1, n = 1] = c.shape;
  const k = a.shape[2] ?? 1;
  const [left, right, out] = [accessor(a), accessor(b), accessor(c)];
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = accumulate ? out.get(z, i, j) : 0;
        for (let l = 0; l < k; l++) sum += left.get(z, i, l) * right.get(z, l, j);
        out.set(sum, z, i, j);
      }
    }
  }
}
