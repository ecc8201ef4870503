/** Milliseconds of work between looks at the event loop. */
const lookEvery = 50;

/**
 * Lets timers, messages and signals be heard in a loop that awaits nothing but settled promises, as steps on wasm do:
 * looks at the event loop when 50 ms have passed since it last did.
 */
export class EventLoop {
  #looked = performance.now();

  async look(signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.#looked >= lookEvery) {
      await new Promise((resolve) => setTimeout(resolve));
      this.#looked = performance.now();
    }
    signal?.throwIfAborted();
  }
}
