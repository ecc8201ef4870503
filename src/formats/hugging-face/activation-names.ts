/** What Transformers calls an activation, and what a name of it means here. */
import { catalogue, find } from '../../activations/catalogue.js';
import { type Activation, Formula, type Gate } from '../../activations/kinds.js';
import type { BlockFormula } from '../../layers/feed-forward.js';
import { type Expression, substitute, variable } from '../../scalar/expression.js';
import { simplify } from '../../scalar/simplify.js';

/**
 * The activations that Transformers computes, by the name to write where it has several for one; to read, every alias of
 * the catalogue will do.
 */
const writtenNames = [
  ...['gelu', 'gelu_10', 'gelu_pytorch_tanh', 'hardswish', 'laplace', 'leaky_relu', 'linear', 'mish', 'quick_gelu'],
  ...['relu', 'relu2', 'relu6', 'sigmoid', 'silu', 'sqrtsoftplus', 'tanh'],
] as const;
/** Those that have weights of their own. */
const learnedNames = ['prelu', 'xielu'] as const;

/** The gate activation(gate) * value, what the activation learns included; named as the catalogue's gate that is the same. */
export function gateOf(activation: Activation): Gate {
  const { noisy, parameters, learned, source } = activation;
  const definition = substitute(noisy, { x: variable('gate') }).mul(variable('value'));
  const same = catalogue().find(({ kind, expression }) => kind === 'gate' && isSame(expression, definition));
  const name = same?.name ?? `${activation.name}Gate`;
  const kept = Object.entries(parameters).filter(([parameter]) => learned.includes(parameter));
  return new Formula('gate', name, definition, Object.fromEntries(kept), { source });
}

const isSame = (a: Expression, b: Expression): boolean => simplify(a) === simplify(b);

/**
 * What Transformers calls the block's activation, or undefined where it has none that computes the same: found by
 * comparing expressions, not names.
 */
export function hiddenAct(feedForward: BlockFormula): string | undefined {
  if (feedForward.kind === 'row') return undefined;
  const names = feedForward.learned.length > 0 ? learnedNames : writtenNames;
  return names.find((name) => {
    const activation = find(name, 'activation');
    const candidate = feedForward.kind === 'gate' ? gateOf(activation) : activation;
    return (
      candidate.learned.join() === feedForward.learned.join() && isSame(candidate.expression, feedForward.expression)
    );
  });
}
