// node conformance/open_folder.js FOLDER OUT DTYPE TOKEN...: the logits of a folder's model as JSON; the model goes into OUT.
import { openDevice } from '../dist/devices.js';
import { Mode } from '../dist/layers.js';
import { open, saveModel } from '../dist/node.js';
import { tensor } from '../dist/tensor.js';

const [folder, out, dtype, ...tokens] = process.argv.slice(2);
const device = await openDevice('reference');
const opened = await open(folder, device);
const input = tensor(device, Int32Array.from(tokens, Number), [1, tokens.length]);
const logits = await opened.model.forward(input, Mode.evaluation()).toArray();
await saveModel(opened, out, { dtype });
console.log(JSON.stringify({ logits: [...logits], leftOut: opened.leftOut }));
await device.close();
