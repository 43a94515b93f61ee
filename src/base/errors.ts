/**
 * What is out of reach, or did not answer in time: the store, the server or the process behind it. The caller goes on
 * by what it knows, and asks again later.
 */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
  /** The store's own word where it has answered and refuses: OOM, READONLY, NOPERM. */
  readonly word: string | undefined;

  constructor(message: string, options: { readonly word?: string; readonly cause?: unknown } = {}) {
    super(message, options);
    this.word = options.word;
  }
}

/** @returns the store's own word, where it has answered and refuses */
export function storeWordOf(error: unknown): string | undefined {
  return error instanceof StoreUnavailable ? error.word : undefined;
}

/** @returns the code of an error of the system or of Node, such as ENOENT; `undefined` when it has none */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
