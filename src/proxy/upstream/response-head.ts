/** Checks of a response's head that both engines owe the exchange. */

/** RFC 9112 §4: HTAB, SP, VCHAR, obs-text. */
const unclean = /[^\t\x20-\x7e\x80-\xff]/;
const notAscii = /[^\t\x20-\x7e]/;

/** @returns the reason phrase, or nothing where it could not be written again as it is */
export function soundReason(reason: string): string {
  return unclean.test(reason) ? "" : reason;
}

/** The same where the octets beyond ASCII are lost already. */
export function asciiReason(reason: string): string {
  return notAscii.test(reason) ? "" : reason;
}

/** The same of a whole status line. */
export function reasonOf(statusLine: string): string {
  return soundReason(/^HTTP\/\d\.\d \d{3} (.*)$/s.exec(statusLine)?.[1] ?? "");
}

/**
 * RFC 9112 §6.1: `chunked` is the one transfer coding this hop takes off; any other would reach the client as if it
 * were the content.
 */
export function hasForeignCoding(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (name?.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (fields[i + 1]?.trim().toLowerCase() !== "chunked") return true;
    }
  }
  return false;
}
