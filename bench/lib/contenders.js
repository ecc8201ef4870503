/** How each library is opened as its best users open it in Node, and what it then runs on. */

/** Ours: every thread that `threads` names; the built files, as a user's process has them. */
export async function openSluice(threads = 2) {
  const { openWasm } = await import('../../dist/devices/wasm/device.js');
  const device = await openWasm({ threads });
  return { device, tensors: await import('../../dist/tensor/index.js'), description: device.description };
}

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
