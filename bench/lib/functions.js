/**
 * What each peer calls the functions of our catalogue that it has, as its documentation says to use them. Formulas that
 * TensorFlow.js has as layers only are taken from its layers package.
 */

/** @param tf @returns {Record<string, (x: object) => object>} */
export function tensorflowFunctions(tf) {
  const layer = (activation) => {
    const made = tf.layers.activation({ activation });
    return (x) => made.apply(x);
  };
  return {
    relu: (x) => tf.relu(x),
    relu6: (x) => tf.relu6(x),
    leakyRelu: (x) => tf.leakyRelu(x, 0.01),
    elu: (x) => tf.elu(x),
    selu: (x) => tf.selu(x),
    sigmoid: (x) => tf.sigmoid(x),
    tanh: (x) => tf.tanh(x),
    softplus: (x) => tf.softplus(x),
    logSigmoid: (x) => tf.logSigmoid(x),
    softsign: layer('softsign'),
    gelu: layer('gelu'),
    geluTanh: layer('gelu_new'),
    silu: layer('swish'),
    mish: layer('mish'),
    softmax: (x) => tf.softmax(x),
    logSoftmax: (x) => tf.logSoftmax(x),
  };
}

/** @param jax @returns {Record<string, (x: object) => object>} */
export function jaxFunctions({ nn, numpy: np }) {
  const { relu, relu6, leakyRelu, elu, celu, selu, sigmoid, softplus, logSigmoid, silu, mish } = nn;
  const { squareplus, sparsePlus, hardSigmoid, hardTanh, softmax, logSoftmax } = nn;
  return {
    ...{ relu, relu6, leakyRelu, elu, celu, selu, sigmoid, softplus, logSigmoid, silu, mish },
    ...{ squareplus, sparsePlus, hardSigmoid, hardTanh, softmax, logSoftmax },
    hardSwish: nn.hardSilu,
    softsign: nn.softSign,
    tanh: np.tanh,
    gelu: (x) => nn.gelu(x, { approximate: false }),
    geluTanh: (x) => nn.gelu(x, { approximate: true }),
  };
}

/** All functions that a peer has, in the order of the table; PyTorch's are in src/experiments/pytorch/activations.py. */
export const functionNames = [
  ...['relu', 'relu6', 'leakyRelu', 'elu', 'celu', 'selu', 'sigmoid', 'tanh', 'softplus', 'logSigmoid', 'softsign'],
  ...['gelu', 'geluTanh', 'silu', 'mish', 'squareplus', 'sparsePlus', 'hardSigmoid', 'hardTanh', 'hardSwish'],
  ...['hardShrink', 'softShrink', 'tanhShrink'],
  ...['softmax', 'logSoftmax'],
];
