const margin = { left: 44, right: 12, top: 12, bottom: 28 };

/** Draws the losses of steps 1, 2, ... as a line; the axes follow the values. */
export function drawCurve(canvas: HTMLCanvasElement, losses: readonly number[], steps: number): void {
  const context = canvas.getContext('2d');
  if (context === null || losses.length === 0) return;
  const { width, height } = canvas;
  const [lowest, highest] = [Math.min(...losses), Math.max(...losses)];
  const range = Math.max(highest - lowest, 1e-6);
  const x = (i: number): number => margin.left + (i / Math.max(1, steps - 1)) * (width - margin.left - margin.right);
  const y = (loss: number): number => margin.top + ((highest - loss) / range) * (height - margin.top - margin.bottom);
  context.clearRect(0, 0, width, height);
  context.font = '12px system-ui, sans-serif';
  context.fillStyle = '#555';
  for (const loss of [lowest, (lowest + highest) / 2, highest]) context.fillText(loss.toFixed(2), 6, y(loss) + 4);
  context.fillText('1', x(0), height - 8);
  context.fillText(`step ${steps}`, width - margin.right - 52, height - 8);
  context.strokeStyle = '#1f6feb';
  context.lineWidth = 1.5;
  context.beginPath();
  losses.forEach((loss, i) => {
    context.lineTo(x(i), y(loss));
  });
  context.stroke();
}
