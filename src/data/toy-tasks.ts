import { type RandomKey, randomNormal, randomUniform } from '../base/random.js';
import type { Examples } from './examples.js';

/** A task of points in the plane that is drawn, not collected. */
export interface ToyTask {
  readonly description: string;
  readonly classes: readonly string[];
  /** Where a point of a class lies; `along` is uniform in [0, 1). */
  readonly point: (label: number, along: number) => readonly [x: number, y: number];
  /** The standard deviation of what is added to each coordinate. */
  readonly noise: number;
}

const circle = (radius: number, angle: number): readonly [number, number] => [
  radius * Math.cos(angle),
  radius * Math.sin(angle),
];

const turn = 2 * Math.PI;

/** The tasks by name. */
export const toyTasks = {
  rings: {
    description: 'a ring of points around another one',
    classes: ['inner', 'outer'],
    point: (label, along) => circle(label === 0 ? 0.5 : 1, turn * along),
    noise: 0.06,
  },
  spirals: {
    description: 'two spirals that wind around each other. Source: Lang and Witbrock 1988',
    classes: ['first', 'second'],
    point: (label, along) => circle(0.1 + 0.9 * along, 1.5 * turn * along + label * Math.PI),
    noise: 0.02,
  },
  xor: {
    description: 'four clusters, of which those at opposite corners belong together. Source: Minsky and Papert 1969',
    classes: ['equal', 'different'],
    point: (label, along) => {
      const side = along < 0.5 ? -1 : 1;
      return [side, label === 0 ? side : -side];
    },
    noise: 0.25,
  },
  moons: {
    description: 'two half moons that reach into each other',
    classes: ['upper', 'lower'],
    point: (label, along) => {
      const [x, y] = circle(1, Math.PI * along);
      return label === 0 ? [x - 0.5, y - 0.25] : [0.5 - x, 0.25 - y];
    },
    noise: 0.08,
  },
} as const satisfies Record<string, ToyTask>;
export type ToyTaskName = keyof typeof toyTasks;
export const toyTaskNames = Object.keys(toyTasks) as ToyTaskName[];

/** Points of a task, the classes in turn; they depend on the key alone. */
export function drawPoints({ classes, point, noise }: ToyTask, count: number, key: RandomKey): Examples {
  const inputs = new Float32Array(2 * count);
  const targets = new Int32Array(count);
  const { k0, k1 } = key;
  for (let i = 0; i < count; i++) {
    const label = i % classes.length;
    const [x, y] = point(label, randomUniform({ k0: k1, k1: k0 }, i));
    inputs.set([x + noise * randomNormal(key, 2 * i), y + noise * randomNormal(key, 2 * i + 1)], 2 * i);
    targets[i] = label;
  }
  return { count, width: 2, inputs, targets };
}
