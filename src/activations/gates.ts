/** Gates: the activated factor is always `gate`; which half of a packed tensor that is, is the caller's to say. */
import { gate } from './kinds.js';
import { relu } from './rectified.js';
import { gelu, geluTanh } from './smooth.js';

const shazeer = { source: 'Shazeer 2020, arXiv:2002.05202' } as const;

export const glu = gate('glu', (gate, value) => gate.sigmoid().mul(value), {
  source: 'Dauphin 2016, arXiv:1612.08083',
});

export const bilinear = gate('bilinear', (gate, value) => gate.mul(value), {
  source: 'Mnih and Hinton 2007; Shazeer 2020, arXiv:2002.05202',
});

export const reglu = gate('reglu', (gate, value) => relu.of(gate).mul(value), shazeer);

export const geglu = gate('geglu', (gate, value) => gelu.of(gate).mul(value), shazeer);

export const gegluTanh = gate('gegluTanh', (gate, value) => geluTanh.of(gate).mul(value), shazeer);

export const swiglu = gate('swiglu', (gate, value, { beta }) => gate.mul(beta.mul(gate).sigmoid()).mul(value), {
  ...shazeer,
  parameters: { beta: 1 },
});

export const drelu = gate('drelu', (gate, value) => relu.of(gate).mul(relu.of(value)), {
  source: 'Song 2024 (TurboSparse), arXiv:2406.05955',
});

export const clampedSwiglu = gate(
  'clampedSwiglu',
  (gate, value, { alpha, limit }) => {
    const bounded = gate.min(limit);
    return bounded.mul(alpha.mul(bounded).sigmoid()).mul(value.max(limit.neg()).min(limit).add(1));
  },
  { source: 'OpenAI 2025, gpt-oss', parameters: { alpha: 1.702, limit: 7 }, aliases: ['swigluOai'] },
);
