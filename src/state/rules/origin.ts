/** How a change came about, beside who asked for it and why. */

/**
 * `console`: with the page's session. `cli`: as the caller says of itself, which proves nothing. `api`: any other call.
 * `by hand`: written into the store past the API. `local`: told to one instance while the store was out of reach, which
 * the store has as `reconciled`. `direct`: written to the store by the command line.
 */
export const vias = [
  "console",
  "cli",
  "api",
  "guard",
  "plan",
  "by hand",
  "local",
  "reconciled",
  "direct",
] as const;
export type Via = (typeof vias)[number];

export interface Origin {
  readonly via: Via;
  /** Of the request that asked for it, as the instance's answer named it; without it, no request did. */
  readonly requestId?: string | undefined;
}

/** The same of what was written down, as far as it was. */
export interface WrittenOrigin {
  readonly via?: Via | undefined;
  readonly requestId?: string | undefined;
}

/** A reason that was given for a change later. The change's own entry stays as it was written. */
export interface Annotation extends WrittenOrigin {
  /** RFC 3339, the store's clock. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}
