/** What the page asks of its Worker. */
export interface Request {
  readonly text: string;
  readonly steps: number;
}

/** What the Worker tells. */
export type Message =
  | { readonly kind: 'started'; readonly device: string; readonly threads: number; readonly parameters: number }
  | { readonly kind: 'step'; readonly step: number; readonly loss: number; readonly tokensPerSecond: number }
  | { readonly kind: 'sample'; readonly step: number; readonly text: string }
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly message: string };
