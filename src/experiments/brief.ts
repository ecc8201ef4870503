/** A number for people: at most `digits` significant digits, no trailing zeros. */
export function brief(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';
  return Object.is(value, -0) ? '-0' : String(Number(value.toPrecision(digits)));
}
