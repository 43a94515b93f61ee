/** What is drawn into a chart beside its lines: the line of zero, the margin, and where the cutover was changed. */
import type uPlot from "uplot";

export interface ChangeMark {
  /** s since the epoch. */
  readonly at: number;
  readonly label: string;
}

/** Where neither side fails more often. */
export function drawZero(plot: uPlot, colour: string): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(0, "y", true));
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Dotted: above it new fails too often. */
export function drawMargin(plot: uPlot, values: readonly (number | null)[], colour: string): void {
  const { ctx } = plot;
  const times = plot.data[0];
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  for (const [place, value] of values.entries()) {
    const at = times[place];
    if (value === null || at === undefined) continue;
    ctx.lineTo(plot.valToPos(at, "x", true), plot.valToPos(value, "y", true));
  }
  ctx.stroke();
  ctx.restore();
}

/** A vertical line where the cutover was changed. */
export function drawChanges(plot: uPlot, changes: readonly ChangeMark[], colour: string): void {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.textAlign = "left";
  ctx.fillStyle = colour;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  let free = bbox.left;
  for (const { at, label } of changes.toSorted((one, other) => one.at - other.at)) {
    if (at < (min ?? 0) || at > (max ?? 0)) continue;
    const x = Math.round(plot.valToPos(at, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const [begins, wide] = [x + 3 * devicePixelRatio, ctx.measureText(label).width];
    // Lines that stand close together would have their words lie on each other.
    if (begins < free || begins + wide > bbox.left + bbox.width) continue;
    ctx.fillText(label, begins, bbox.top + 11 * devicePixelRatio);
    free = begins + wide + 3 * devicePixelRatio;
  }
  ctx.restore();
}
