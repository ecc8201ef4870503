import { beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import type { Device } from '../../src/devices/device.js';
import {
  endStep,
  internal,
  memory,
  noGrad,
  ones,
  openScope,
  scope,
  type Tensor,
  tensor,
  traceTensors,
} from '../../src/tensor/index.js';
import { devices } from './devices.js';
import { here } from './lines.js';

function freedErrorOf(use: () => unknown): SluiceError {
  try {
    use();
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'freed') return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe.each(devices)('$name', ({ open }) => {
  let device: Device;
  beforeEach(async () => {
    device = await open();
    return () => device.close();
  });

  const leaf = (...shape: number[]): Tensor => ones(device, shape, { requiresGrad: true });

  describe('steps', () => {
    test('what a step makes lives until the next one ends', async () => {
      const made = ones(device, [2]);
      endStep(device);
      expect(Array.from(await made.toArray())).toEqual([1, 1]);
      endStep(device);
      expect(memory(device).buffers).toBe(0);
      await expect(made.toArray()).rejects.toMatchObject({ code: 'freed' });
    });

    test('a use afterwards names both lines, the shape and the remedy', () => {
      const made = ones(device, [2, 3]);
      endStep(device);
      const freedOn = here() + 1;
      endStep(device);
      const usedOn = here() + 1;
      const error = freedErrorOf(() => made.add(1));
      expect(error.message).toContain('[2, 3]');
      expect(error.message).toContain('the end of step 1');
      expect(error.message).toMatch(
        new RegExp(`given back by the end of step 1 at \\S*memory\\.test\\.ts:${freedOn}:\\d+`),
      );
      expect(error.message).toMatch(new RegExp(`is used at \\S*memory\\.test\\.ts:${usedOn}:\\d+`));
      expect(error.message).toContain('call keep()');
    });

    test('views, results and graphs go with their memory', () => {
      const x = leaf(2).keep();
      const y = x.mul(x);
      const [view, loss] = [y.slice(0, 1), y.mul(y).sum()];
      endStep(device);
      endStep(device);
      expect(freedErrorOf(() => view.add(1)).message).toContain('[1]');
      expect(freedErrorOf(() => loss.backward()).code).toBe('freed');
      expect(memory(device).buffers).toBe(1);
    });

    test('data that every step uses stays, also when only a view of it is used', () => {
      const data = ones(device, [2, 2]);
      for (let i = 0; i < 5; i++) {
        data.slice(0, 0, 1).add(i);
        endStep(device);
      }
      expect(data.sum().shape).toEqual([]);
      endStep(device);
      endStep(device);
      expect(freedErrorOf(() => data.sum()).code).toBe('freed');
    });

    test('reading is not a use', async () => {
      const made = ones(device, [2]);
      endStep(device);
      await made.toArray();
      endStep(device);
      await expect(made.toArray()).rejects.toThrow('was given back');
    });

    test('kept tensors and the gradients of kept leaves stay until dispose()', () => {
      const parameter = leaf(3).keep();
      const other = ones(device, [4]).keep();
      parameter.mul(2).sum().backward();
      for (let i = 0; i < 4; i++) endStep(device);
      expect(parameter.grad?.add(1).shape).toEqual([3]);
      parameter.zeroGrad();
      for (let i = 0; i < 4; i++) endStep(device);
      expect(memory(device)).toMatchObject({ buffers: 3, keptBuffers: 3 });
      parameter.dispose();
      other.dispose();
      expect(memory(device)).toMatchObject({ buffers: 0, keptBytes: 0 });
      expect(freedErrorOf(() => parameter.add(1)).message).toContain('given back by dispose() at');
    });

    test('a gradient is kept with its leaf, whichever comes first', () => {
      const x = leaf(3);
      x.sum().backward();
      x.keep();
      for (let i = 0; i < 4; i++) endStep(device);
      expect(x.grad?.shape).toEqual([3]);
    });

    test('a steady loop allocates nothing', () => {
      const w = leaf(4, 4).keep();
      const step = (): void => {
        w.zeroGrad();
        const x = ones(device, [2, 4]);
        x.matmul(w).add(w.select(0, 0)).tanh().pow(2).mean().backward();
        noGrad(() => w.write(w.sub(w.grad?.mul(0.1) ?? 0)));
        endStep(device);
      };
      for (let i = 0; i < 3; i++) step();
      const { reservedBytes, peakBytes, buffers } = memory(device);
      for (let i = 0; i < 10; i++) step();
      expect(memory(device)).toMatchObject({ reservedBytes, peakBytes, buffers });
    });
  });

  describe('scopes', () => {
    test('a scope gives back what it made, but for what it returns, alone or inside', () => {
      const [first, second] = scope(device, () => {
        const all = [1, 2, 3, 4].map((value) => ones(device, [value]));
        return [all[0], { deep: new Map([['here', [all[2]]]]) }] as const;
      });
      expect(memory(device).buffers).toBe(2);
      expect(first?.add(1).shape).toEqual([1]);
      expect(second.deep.get('here')?.[0]?.add(1).shape).toEqual([3]);
    });

    test('a use after a scope names the line that opened it', () => {
      const leaked: Tensor[] = [];
      const openedOn = here() + 1;
      scope(device, () => {
        leaked.push(ones(device, [2]));
      });
      const { message } = freedErrorOf(() => leaked[0]?.add(1));
      expect(message).toMatch(new RegExp(`the end of the scope opened at \\S*memory\\.test\\.ts:${openedOn}:`));
    });

    test('a returned view holds its memory', async () => {
      const view = scope(device, () =>
        tensor(device, [
          [1, 2],
          [3, 4],
        ])
          .transpose(0, 1)
          .select(0, 1),
      );
      expect(Array.from(await view.toArray())).toEqual([2, 4]);
      view.dispose();
      expect(memory(device).buffers).toBe(0);
    });

    test('an inner scope hands what it returns to the outer one', () => {
      scope(device, () => {
        scope(device, () => ones(device, [3]));
        expect(memory(device).buffers).toBe(1);
      });
      expect(memory(device).buffers).toBe(0);
    });

    test('kept tensors and gradients of outer leaves survive a scope', () => {
      const x = leaf(2);
      const kept = scope(device, () => {
        x.mul(2).sum().backward();
        const hidden = { tensor: ones(device, [5]).keep() };
        return () => hidden.tensor;
      });
      expect(kept().add(1).shape).toEqual([5]);
      expect(x.grad?.add(1).shape).toEqual([2]);
    });

    test('an async scope closes when its promise settles, also by an error', async () => {
      const result = await scope(device, async () => {
        const made = ones(device, [2]);
        await made.toArray();
        return made.mul(3);
      });
      expect(Array.from(await result.toArray())).toEqual([3, 3]);
      expect(memory(device).buffers).toBe(1);
      const failing = scope(device, async () => {
        await ones(device, [2]).toArray();
        throw new Error('inside');
      });
      await expect(failing).rejects.toThrow('inside');
      expect(memory(device).buffers).toBe(1);
    });

    test('an error closes a scope', () => {
      expect(() =>
        scope(device, () => {
          ones(device, [2]);
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(memory(device).buffers).toBe(0);
    });

    test('a graph that nothing returned leads to goes with its scope', () => {
      const x = leaf(2);
      const loss = scope(device, () => {
        x.exp().exp().exp().sum();
        return x.tanh().mul(x).sum();
      });
      loss.backward();
      loss.dispose();
      expect(x.grad?.shape).toEqual([2]);
      expect(memory(device).buffers).toBe(2);
    });

    test('a scope of one device leaves tensors of others alone', async () => {
      const other = await open();
      const made = scope(device, () => {
        const stranger = ones(other, [2]);
        return () => stranger;
      });
      expect(made().add(1).shape).toEqual([2]);
      await other.close();
    });

    test('using gives back at the end of the block', () => {
      {
        using made = ones(device, [2]);
        using product = made.mul(2).unsqueeze(0);
        expect(product.shape).toEqual([1, 2]);
        using block = openScope(device);
        made.add(product);
        expect([memory(device).buffers, block.accepts(device)]).toEqual([3, true]);
      }
      // made.mul(2) itself was never given a name: only the view of it was given back.
      expect(memory(device).buffers).toBe(1);
    });
  });

  describe('graphs', () => {
    test('backward() gives back what only the graph held', () => {
      const x = leaf(4);
      const loss = internal(() => x.exp().mul(x).tanh().sum());
      expect(memory(device).buffers).toBe(4);
      loss.backward();
      // The leaf, its gradient and the loss.
      expect(memory(device).buffers).toBe(3);
    });

    test('what backward() does not need is given back when the library call ends', () => {
      const x = leaf(4);
      const y = internal(() => x.add(1).add(2).add(3));
      expect(memory(device).buffers).toBe(2);
      y.dispose();
      expect(memory(device).buffers).toBe(1);
    });

    test('a tensor that a caller disposes of stays until backward() has used it', () => {
      const x = leaf(4);
      const middle = x.exp();
      const loss = middle.mul(middle).sum();
      middle.dispose();
      loss.backward();
      expect(x.grad?.shape).toEqual([4]);
      expect(freedErrorOf(() => middle.add(1)).message).toContain('dispose()');
    });

    test('the peak of a deep chain is the activations that backward() needs, and two more', async () => {
      const [width, rows, depth] = [64, 32, 10];
      const peakOf = async (library: <T>(body: () => T) => T): Promise<number> => {
        const own = await open();
        const layers = Array.from({ length: depth }, () => ones(own, [width], { requiresGrad: true }).keep());
        const layer = (x: Tensor, w: Tensor): Tensor => library(() => x.mul(w).add(w).tanh());
        const data = ones(own, [rows, width]).keep();
        for (let step = 0; step < 3; step++) {
          for (const w of layers) w.zeroGrad();
          library(() => layers.reduce(layer, data).sum()).backward();
          endStep(own);
        }
        const { peakBytes, keptBytes } = memory(own);
        await own.close();
        const activation = keptBytes - 2 * depth * (layers[0]?.storage.buffer.bytes ?? 0);
        return (peakBytes - keptBytes) / activation;
      };
      // Of each layer's three values, mul needs its input and tanh its own: two, of which the data is kept anyway.
      expect(await peakOf(internal)).toBeLessThan(2 * depth + 3);
      // What the caller sees lives through the next step.
      expect(await peakOf((body) => body())).toBeGreaterThan(2 * 3 * depth - 2);
    });
  });

  describe('across await', () => {
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

    test('a use after an async scope names the line that opened it, and that of the use', async () => {
      let leaked: Tensor | undefined;
      const openedOn = here() + 1;
      await scope(device, async () => {
        await pause();
        leaked = ones(device, [2]);
        await leaked.toArray();
      });
      await pause();
      const usedOn = here() + 1;
      const { message } = freedErrorOf(() => leaked?.add(1));
      expect(message).toMatch(new RegExp(`scope opened at \\S*memory\\.test\\.ts:${openedOn}:`));
      expect(message).toMatch(new RegExp(`is used at \\S*memory\\.test\\.ts:${usedOn}:`));
      const readOn = here() + 1;
      await expect(leaked?.toArray()).rejects.toThrow(new RegExp(`is used at \\S*memory\\.test\\.ts:${readOn}:`));
    });

    test('a use after a step names the line that ended it, and that of the use', async () => {
      const made = ones(device, [2]);
      const end = async (): Promise<void> => {
        await pause();
        endStep(device);
      };
      const endedOn = here() - 2;
      await end();
      await end();
      await pause();
      const usedOn = here() + 1;
      const { message } = freedErrorOf(() => made.sum());
      expect(message).toMatch(new RegExp(`given back by the end of step 1 at \\S*memory\\.test\\.ts:${endedOn}:`));
      expect(message).toMatch(new RegExp(`is used at \\S*memory\\.test\\.ts:${usedOn}:`));
    });

    test('async scopes inside each other hand on what they return', async () => {
      const { buffers } = memory(device);
      const kept = await scope(device, async () => {
        ones(device, [2]);
        const inner = await scope(device, async () => {
          await pause();
          ones(device, [3]);
          return { result: ones(device, [4]) };
        });
        await pause();
        expect(memory(device).buffers).toBe(buffers + 2);
        return inner.result.mul(2);
      });
      expect(memory(device).buffers).toBe(buffers + 1);
      expect(Array.from(await kept.toArray())).toEqual([2, 2, 2, 2]);
    });
  });

  test('an error about a traced tensor names the line that made it', () => {
    traceTensors(device);
    const madeOn = here() + 1;
    const made = ones(device, [2]);
    made.dispose();
    const { message } = freedErrorOf(() => made.add(1));
    expect(message).toMatch(new RegExp(`made at \\S*memory\\.test\\.ts:${madeOn}:`));
  });
});
