import { activation } from './kinds.js';

/** The threshold unit with outputs 0 and 1; its derivative is zero, so it does not train by gradients. */
export const step = activation('step', (x) => x.whereLess(0, 0, 1), {
  source: 'McCulloch and Pitts 1943',
  aliases: ['heaviside', 'binaryStep'],
});

/** The threshold unit with outputs -1 and 1, +1 at zero, where the mathematicians' signum(x) is 0. */
export const sign = activation('sign', (x) => x.whereLess(0, -1, 1), {
  source: 'Rosenblatt 1958',
  aliases: ['bipolarStep'],
});

export const threshold = activation('threshold', (x, { threshold, value }) => threshold.whereLess(x, x, value), {
  source: 'PyTorch nn.Threshold',
  parameters: { threshold: 0, value: 0 },
});
