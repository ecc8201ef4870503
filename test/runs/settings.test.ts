import { describe, expect, test } from 'vitest';
import { complete } from '../../src/runs/complete.js';
import { layered, presetNamed, presetNames } from '../../src/runs/presets.js';
import {
  checkSettings,
  defaults,
  describeSetting,
  type SettingName,
  settingNames,
  settingType,
} from '../../src/runs/settings.js';

const data = 'my.txt';

describe('settings', () => {
  test('have a type and a description each', () => {
    for (const name of settingNames) expect(describeSetting(name).length).toBeGreaterThan(name.length);
    expect(settingType('dim')).toBe('integer');
    expect(settingType('lr')).toBe('number');
    expect(settingType('time')).toBe('number');
    expect(settingType('ffn')).toBe('string');
    expect(settingType('activation')).toBe('string');
    expect(settingType('deterministic')).toBe('boolean');
    expect(settingType('threads')).toBe('integer');
  });

  test('that are right pass as they are', () => {
    const values = { dim: 64, lr: 1e-3, ffn: 'geglu', deterministic: true, minLr: 0 };
    expect(checkSettings(values, 'a file')).toEqual(values);
    expect(checkSettings({ preset: 'demo' }, 'a file')).toEqual({});
    for (const name of presetNames) expect(checkSettings(presetNamed(name), name)).toEqual(presetNamed(name));
  });

  test.each<[Record<string, unknown>, string, RegExp]>([
    [
      { wieghtDecay: 1 },
      'name',
      /my\.json has only known settings, received "wieghtDecay"\. Did you mean "weightDecay"/,
    ],
    [{ __proto__pollution: 1 }, 'name', /only known settings/],
    [{ dim: 0 }, 'argument', /dim is at least 1, received 0\. Write for example 128: width of the residual stream/],
    [{ dim: 1.5 }, 'argument', /dim is a whole number, received 1\.5/],
    [{ dim: '8' }, 'argument', /dim is a number, received "8"/],
    [{ lr: Number.POSITIVE_INFINITY }, 'argument', /lr is finite/],
    [{ lr: Number.NaN }, 'argument', /lr is a number, received NaN/],
    [{ dropout: -0.1 }, 'argument', /dropout is at least 0/],
    [{ schedule: 'cosin' }, 'argument', /schedule is one of cosine, linear, constant, wsd, received "cosin"/],
    [{ schedule: 'cos' }, 'argument', /received "cos"\. Did you mean "cosine"\? Write for example cosine: decay/],
    [{ data: ['a', 'b'] }, 'argument', /data is a string, received \["a", "b"\]/],
    [{ time: 0 }, 'argument', /time is positive/],
  ])('%o are refused', (values, code, message) => {
    expect(() => checkSettings(values, 'my.json')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe('nonsense is refused with the rule, the value and what to write instead', () => {
  const { NaN: none, POSITIVE_INFINITY: infinity } = Number;
  const size = [0, -8, 1.5, none, infinity, 1e12, '8', null];
  const count = [0, -1, 2.5, none, 1e300];
  const countFromZero = [-1, 0.5, none, 2 ** 60];
  const positive = [0, -1, none, infinity];
  const atLeastZero = [-1e-9, none, infinity];
  const share = [-0.1, 1, none];
  const text = ['', 5, ['a']];
  const nonsense: Readonly<Record<SettingName, readonly unknown[]>> = {
    ...{ data: text, task: text, model: ['lama', 1], tokenizer: text, ffn: text, activation: text, param: text },
    ...{ dim: size, layers: size, heads: size, kvHeads: size, hidden: size, context: size, batch: size },
    ...{ accumulate: size, steps: count, epochs: [...positive, 1e300], time: [...positive, 1e300] },
    ...{ lr: positive, minLr: atLeastZero, warmup: countFromZero, schedule: ['cosin', ''], weightDecay: atLeastZero },
    ...{ beta2: share, clip: atLeastZero, dropout: share, validation: [0, -0.1, 1, 2, none] },
    ...{ evalEvery: count, evalTokens: count, sampleEvery: countFromZero, saveEvery: count, keep: count },
    ...{ target: text, inputs: text, missing: ['guess', ''], loss: ['l2', 1], labelSmoothing: share },
    posWeight: positive,
    ...{ initialization: ['glorot'], surrogate: text, outputs: ['0/2'], examples: [0, 2.5, 1e9], shift: [-1, 0.5, 9] },
    ...{ optimizer: ['sdg', 1], momentum: atLeastZero, dampening: atLeastZero, nesterov: ['yes'], alpha: share },
    ...{ centered: [1], beta1: share, amsgrad: ['no'], epsilon: atLeastZero },
    ...{
      length: [1, 2.5, 1e9],
      symbols: [0, 1.5, 1e9],
      delay: [-1, 0.5, 1e9],
      window: size,
      horizon: size,
      season: [1, 1.5],
      bidirectional: ['yes', 1],
      readout: ['max', 1],
      shortcut: ['long', 1],
    },
    ...{ kernel: size, pooling: ['median', 1], maskShare: [0, 1, none], wholeWords: ['yes', 1] },
    ...{ gateActivation: text, forgetBias: [none, infinity, '1'] },
    ...{ seed: countFromZero, device: text, threads: [0, 1.5, 1e6], deterministic: ['yes', 1] },
  };

  test.each(Object.entries(nonsense))('%s', (name, values) => {
    expect(settingNames).toContain(name);
    for (const received of values) {
      expect(() => checkSettings({ [name]: received }, 'my.json')).toThrow(
        expect.objectContaining({
          code: 'argument',
          rule: expect.stringMatching(new RegExp(`^${name} is \\w`)),
          received,
          remedy: expect.stringMatching(/^(Did you mean "[^"]+"\? )?Write for example (?!undefined)\S.*: \w.*\.$/),
        }),
      );
    }
  });
});

describe('layers of settings', () => {
  test('are each in force over those before', () => {
    expect(layered({ dim: 1, lr: 1 }, { dim: 2, batch: 2 }, { dim: 3 })).toEqual({ dim: 3, lr: 1, batch: 2 });
    expect(layered()).toEqual({});
  });

  test('do not say what they leave undefined', () => {
    expect(layered({ threads: 4 }, { threads: undefined })).toEqual({ threads: 4 });
  });

  test.each([
    [{ time: 100 }, { steps: 5 }, { steps: 5 }],
    [{ steps: 5 }, { time: 100 }, { time: 100 }],
    [{ steps: 5 }, { epochs: 2 }, { epochs: 2 }],
    [{ time: 100 }, { dim: 8 }, { time: 100, dim: 8 }],
    [{ time: 100 }, { epochs: 1, steps: 2 }, { epochs: 1, steps: 2 }],
    [{ activation: 'gelu' }, { ffn: 'swiglu' }, { ffn: 'swiglu' }],
    [{ activation: 'gelu' }, { ffn: 'mlp' }, { activation: 'gelu', ffn: 'mlp' }],
    [{ ffn: 'swiglu' }, { activation: 'gelu' }, { activation: 'gelu' }],
    [{ ffn: 'mlp' }, { activation: 'gelu' }, { ffn: 'mlp', activation: 'gelu' }],
  ])('%o and then %o are %o', (below, above, wanted) => {
    expect(layered(below, above)).toEqual(wanted);
  });
});

describe('complete settings', () => {
  test('follow from what was said', () => {
    expect(complete({ data })).toMatchObject({
      ...defaults,
      data,
      model: 'llama',
      hidden: 352,
      kvHeads: 4,
      minLr: 1e-4,
    });
    expect(complete({ data, dim: 64, heads: 8, ffn: 'mlp', lr: 0.01 })).toMatchObject({
      model: 'arcee',
      hidden: 256,
      kvHeads: 8,
      minLr: 0.001,
    });
  });

  test.each([
    [{}, /needs a text, received "no --data"/],
    [{ data, ffn: 'swiglu', activation: 'silu' }, /--ffn swiglu brings its own activation/],
    [{ data, model: 'arcee' as const, ffn: 'gated' }, /llama has a gated block and arcee one that is not/],
    [{ data, steps: 3, epochs: 1 }, /one of steps, epochs and time says how long/],
    [{ data, lr: 1e-4, minLr: 1e-3 }, /minLr is at most lr/],
  ])('of %o are refused', (given, message) => {
    expect(() => complete(given)).toThrow(message);
  });
});

describe('presets', () => {
  test.each(presetNames)('%s can be completed', (name) => {
    const settings = complete({ data, ...presetNamed(name) });
    expect(settings.dim % settings.heads).toBe(0);
    expect(settings.heads % settings.kvHeads).toBe(0);
  });

  test('are known by any case, and the nearest is suggested', () => {
    expect(presetNamed('DEMO')).toBe(presetNamed('demo'));
    expect(() => presetNamed('demmo')).toThrow(/Did you mean "demo"/);
    expect(() => presetNamed('constructor')).toThrow(/a preset is one of/);
  });
});
