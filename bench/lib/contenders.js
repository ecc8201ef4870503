/** How each library is opened as its best users open it in Node, and what it then runs on. */

/**
 * Ours, on the built files, as a user's process has them. A device that cannot work here is `missing`, with the reason.
 * @param {string} name of the device
 */
export async function openSluice(name, threads = 2) {
  const { openDevice } = await import('../../dist/devices/open.js');
  try {
    const device = await openDevice(name, { threads });
    return {
      device,
      tensors: await import('../../dist/tensor/index.js'),
      description: `Sluice, ${device.description}`,
    };
  } catch (error) {
    if (error.code !== 'device') throw error;
    return { missing: error.message, description: `Sluice, ${name}` };
  }
}

/**
 * Ours as contenders, by name.
 * @param {(opened: { device: object, tensors: object }) => Promise<(item: object) => Promise<object>>} make what prepares a case
 * @param {Record<string, [string, number?]>} devices name of the contender: device and threads
 */
export function ours(make, devices = { native: ['native'], wasm: ['wasm'], single: ['wasm', 1] }) {
  const open = async ([device, threads]) => {
    const opened = await openSluice(device, threads);
    return opened.missing === undefined ? { ...opened, prepare: await make(opened) } : opened;
  };
  return Object.fromEntries(Object.entries(devices).map(([name, device]) => [name, () => open(device)]));
}

/** PyTorch's ways as contenders: by autograd at its default, compiled. */
export const pytorch = (module, ways = { pytorch: 'eager', compiled: 'compile' }) =>
  Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, { python: module, way }]));

/** TensorFlow.js on its WebAssembly backend: SIMD; its threads are for pages, not for Node. */
export async function openTensorflow() {
  const { default: tf } = await import('@tensorflow/tfjs');
  const { default: wasm } = await import('@tensorflow/tfjs-backend-wasm');
  tf.enableProdMode();
  await tf.setBackend('wasm');
  await tf.ready();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return {
    tf,
    description: `TensorFlow.js ${tf.version_core}, ${tf.getBackend()}${simd ? ' SIMD' : ''}, ${wasm.getThreadsCount()} thread`,
  };
}

/** jax-js on WebAssembly: one thread, since Node has no global `Worker` for its pool. */
export async function openJax() {
  const jax = await import('@jax-js/jax');
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  const threads = typeof Worker === 'undefined' ? '1 thread' : 'worker threads';
  return { jax, description: `jax-js 0.1.25, ${jax.defaultDevice()}, ${threads}` };
}
