import type { Inspection } from './inspect.js';
import type { LayerReport } from './layer-record.js';

/** Something that an inspection shows, and the figures by which it does. */
export interface Finding {
  readonly kind: 'vanishing' | 'exploding' | 'dead' | 'saturated' | 'blind' | 'not finite';
  readonly message: string;
}

/** From here on a gradient vanishes, or explodes: one learning rate cannot suit both ends. */
const apart = 1e3;
/** A share of units that is worth a line. */
const many = 0.1;
/** What is left of the inputs' differences, as a share of the standard deviation, where nothing can be told apart. */
const blind = 1e-3;

const figure = (value: number): string => String(Number(value.toPrecision(2)));
const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** What the figures of an inspection mean: gradients that vanish or explode, units that are dead or saturated. */
export function findingsOf({ layers, gradientNorm, loss }: Inspection): Finding[] {
  const within = layers.filter(({ name }) => name !== '');
  const broken = layers.find(({ mean, gradientNorm }) => !Number.isFinite(mean) || !Number.isFinite(gradientNorm));
  if (broken !== undefined) {
    return [{ kind: 'not finite', message: `${nameOf(broken)} gives or gets what is not finite` }];
  }
  if (gradientNorm === 0 && loss > 0) {
    return [{ kind: 'vanishing', message: 'no gradient comes to any weight: none of them learns by it' }];
  }
  return [
    ...depth(within),
    ...time(within),
    ...signal(within),
    ...shares(within, 'dead'),
    ...shares(within, 'saturated'),
    ...gates(within),
  ];
}

export const nameOf = ({ name }: Pick<LayerReport, 'name'>): string => (name === '' ? '(output)' : name);

/** From the last layer to the first. */
function depth(layers: readonly LayerReport[]): Finding[] {
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === undefined || last === undefined || layers.length < 3) return [];
  if (first.gradientNorm === 0 && last.gradientNorm > 0) {
    const message = `no gradient comes back to ${first.name}: ${figure(last.gradientNorm)} at ${last.name}`;
    return [{ kind: 'vanishing', message }];
  }
  return compared(first.gradientNorm, last.gradientNorm, (way) => {
    return `the gradient ${way} on its way back: ${figure(last.gradientNorm)} at ${last.name}, ${figure(first.gradientNorm)} at ${first.name}`;
  });
}

/** From the last time step at which a gradient comes in to the first. */
function time(layers: readonly LayerReport[]): Finding[] {
  return layers.flatMap((layer) => {
    if (!layer.isRecurrent) return [];
    const steps = layer.gradientNormByStep ?? [];
    const [first = 0, last = 0] = [steps[0], steps.at(-1)];
    return compared(first, last, (way) => {
      return `the gradient ${way} through time in ${nameOf(layer)}: ${figure(last)} at step ${steps.length}, ${figure(first)} at step 1`;
    });
  });
}

function compared(first: number, last: number, message: (way: string) => string): Finding[] {
  if (last > 0 && first * apart < last) return [{ kind: 'vanishing', message: message('vanishes') }];
  return first > apart * last ? [{ kind: 'exploding', message: message('explodes') }] : [];
}

/** Whether the last activation still tells inputs apart. */
function signal(layers: readonly LayerReport[]): Finding[] {
  const activations = layers.filter(({ isActivation, dead }) => isActivation && dead < 1);
  const [first, last] = [activations[0], activations.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [before, after] = [Math.sqrt(first.unitVariance), Math.sqrt(last.unitVariance)];
  if (after >= blind * before) return [];
  const message = `what tells inputs apart is lost: a unit of ${first.name} deviates by ${figure(before)} from input to input, one of ${last.name} by ${figure(after)}`;
  return [{ kind: 'blind', message }];
}

/** Units that cannot learn. */
function shares(layers: readonly LayerReport[], kind: 'dead' | 'saturated'): Finding[] {
  const activations = layers.filter(({ isActivation }) => isActivation);
  const units = activations.reduce((sum, layer) => sum + layer.units, 0);
  const share = activations.reduce((sum, layer) => sum + layer.units * (layer[kind] ?? 0), 0) / units;
  const worst = activations.toSorted((a, b) => (b[kind] ?? 0) - (a[kind] ?? 0))[0];
  if (worst === undefined || !((worst[kind] ?? 0) >= many)) return [];
  const message = `${percent(share)} of the units are ${kind}, most in ${worst.name}: ${percent(worst[kind] ?? 0)}`;
  return [{ kind, message }];
}

/** Gates that most units hold at one end, whatever comes in. */
function gates(layers: readonly LayerReport[]): Finding[] {
  return layers.flatMap((layer) =>
    (layer.gates ?? []).flatMap(({ name, units, ends }) => {
      const at = units[0] > units[1] ? 0 : 1;
      if (units[at] < many) return [];
      const message = `${percent(units[at])} of the units of ${nameOf(layer)} hold ${name} near ${figure(ends[at])} for nine inputs of ten`;
      return [{ kind: 'saturated' as const, message }];
    }),
  );
}
