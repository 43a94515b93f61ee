/** The fields of a head as byte strings. A packet is decoded once and cut, at half the cost of decoding each part. */

/** @param raw as undici gives them: parts of the packet they came in, nearly always all of one */
export function decodedFields(raw: readonly (string | Buffer)[]): string[] {
  const first = raw[0];
  const last = raw[raw.length - 1];
  const fields = new Array<string>(raw.length);
  if (!(first instanceof Uint8Array && last instanceof Uint8Array)) return decodedEach(raw, fields);
  const { buffer, byteOffset: start } = first;
  const end = last.byteOffset + last.length;
  if (last.buffer !== buffer || end < start) return decodedEach(raw, fields);
  const text = Buffer.from(buffer, start, end - start).toString("latin1");
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i];
    if (!(part instanceof Uint8Array) || part.buffer !== buffer) return decodedEach(raw, fields);
    const at = part.byteOffset - start;
    fields[i] = text.slice(at, at + part.length);
  }
  return fields;
}

function decodedEach(raw: readonly (string | Buffer)[], fields: string[]): string[] {
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i];
    fields[i] = typeof part === "string" ? part : (part?.toString("latin1") ?? "");
  }
  return fields;
}
