import { median } from './measure.js';

/** What came out of one case. It goes to JSON as it is, but for the operands. */
export class Answer {
  /** Of each contender, a measurement a round. @type {Record<string, { median: number, best: number }[]>} */
  times = {};
  /** Units of the last place by which a contender is off. @type {Record<string, number>} */
  ulps = {};
  /** Contenders that were left out, by how much they are off. @type {Record<string, number>} */
  wrong = {};
  /** GFLOP/s (or GB/s) of the question's ceiling, a round each. @type {number[]} */
  ceilings = [];

  /** Whether the machine was ours, a round each. @type {boolean[]} */
  calm = [];

  constructor(item) {
    this.item = item;
    this.name = item.name;
  }

  /** Whether this many rounds will do: as many calm ones as are wanted, or three times as many of any kind. */
  isEnough(done, wanted, isFixed) {
    if (isFixed) return done >= wanted;
    return this.calm.filter(Boolean).length >= wanted || done >= 3 * wanted;
  }

  /** How many of the rounds that count were disturbed: none while there are three calm ones. */
  get disturbed() {
    return this.#counted().filter((round) => !this.calm[round]).length;
  }

  #counted() {
    const all = this.calm.map((_, round) => round);
    const calm = all.filter((round) => this.calm[round]);
    return calm.length >= Math.min(3, all.length) ? calm : all;
  }

  add(contender, measured) {
    this.times[contender] ??= [];
    this.times[contender].push(measured);
  }

  /** The median of a contender's medians in milliseconds, undefined for one that is not there. */
  milliseconds(contender) {
    return this.#over([contender], ([time]) => time.median);
  }

  /** How many times as fast as a peer one of ours is: the median of the rounds' ratios. */
  ratio(us, peer) {
    return this.#over([us, peer], ([ours, theirs]) => theirs.median / ours.median);
  }

  /** The same by the best times, what neighbours on the machine disturb least. */
  bestRatio(us, peer) {
    const [ours, theirs] = [us, peer].map((name) => this.times[name]?.map(({ best }) => best));
    return ours === undefined || theirs === undefined ? undefined : Math.min(...theirs) / Math.min(...ours);
  }

  /** GFLOP/s in a case of so many FLOPs, GB/s of so many bytes. */
  speed(contender, flops) {
    return this.#over([contender], ([time]) => flops / (time.median * 1e6));
  }

  /** What that is of the ceiling in the same round. */
  share(contender, flops) {
    if (this.ceilings.length === 0) return undefined;
    return this.#over([contender], ([time], round) => flops / (time.median * 1e6) / this.ceilings[round]);
  }

  #over(names, value) {
    const lists = names.map((name) => this.times[name]);
    if (lists.some((list) => list === undefined)) return undefined;
    return median(
      this.#counted().map((round) =>
        value(
          lists.map((list) => list[round]),
          round,
        ),
      ),
    );
  }
}
