/** A number with its noun: 1 layer, 2 layers. `written` is the number as it is shown, where that is shorter. */
export const plural = (count: number, noun: string, written = String(count)): string =>
  `${written} ${noun}${count === 1 ? '' : 's'}`;
