/** Runs under a policy that forbids code made from strings: formulas are read, differentiated and evaluated. */
import { resolveActivation } from '../../src/activations/catalogue.js';
import { partials } from '../../src/activations/evaluate.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { tensor } from '../../src/tensor/index.js';

let isForbidden = false;
try {
  new Function('return 1')();
} catch {
  isForbidden = true;
}
const formula = resolveActivation('x*tanh(softplus(x))');
const [slope = formula.expression] = partials(formula);
const device = await openWasm({ threads: 1 });
const [onDevice] = await tensor(device, [1])
  .map((x) => formula.of(x))
  .toArray();
await device.close();
process.stdout.write(
  `${JSON.stringify({ isForbidden, value: evaluate(formula.expression, { x: 1 }), slope: evaluate(slope, { x: 1 }), onDevice })}\n`,
);
