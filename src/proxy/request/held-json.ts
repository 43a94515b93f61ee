/** The JSON in a body that was held whole, its content coding undone (RFC 9110 §8.4.1). */
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { type JsonBody, readJson } from "../../decide/json.ts";

/** Most bytes a held body may unfold to. */
const unfoldedLimit = 262_144;

/**
 * @param coding the Content-Encoding field, if there is one
 * @returns `undefined` when the body is not JSON in UTF-8, in a coding not known here, or unfolds to too much
 */
export function jsonOf(content: Buffer, coding: string | undefined): JsonBody | undefined {
  try {
    const plain = unfolded(content, coding?.trim().toLowerCase() ?? "");
    return plain === undefined ? undefined : readJson(plain);
  } catch {
    return undefined;
  }
}

function unfolded(content: Buffer, coding: string): Buffer | undefined {
  const limits = { maxOutputLength: unfoldedLimit };
  switch (coding) {
    case "":
    case "identity":
      return content;
    case "gzip":
    case "x-gzip":
      return gunzipSync(content, limits);
    case "deflate":
      return inflateSync(content, limits);
    case "br":
      return brotliDecompressSync(content, limits);
    default:
      return undefined;
  }
}
