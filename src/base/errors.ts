/**
 * What is out of reach, or did not answer in time: the store, the server or the process behind it. The caller goes on
 * by what it knows, and asks again later.
 */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** @returns the code of an error of the system or of Node, such as ENOENT; `undefined` when it has none */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
