/** Emphasis. It only ever repeats what the words say: without colour nothing is lost. */
export interface Style {
  strong(text: string): string;
  /** Needs a person's attention. */
  alert(text: string): string;
  quiet(text: string): string;
}

const sgr = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const same = (text: string) => text;

export const plainStyle: Style = { strong: same, alert: same, quiet: same };

/** Reverse video for alerts: it is seen on any palette and by any eye. */
export const colourStyle: Style = { strong: sgr(1, 22), alert: sgr(7, 27), quiet: sgr(2, 22) };
