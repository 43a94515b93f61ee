/**
 * Buffers a body of up to 64 KiB, because a key may be in it, and gives it on byte for byte; and reads the JSON in one
 * that was buffered whole, its content coding undone (RFC 9110 §8.4.1).
 */
import { PassThrough, type Readable } from "node:stream";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { type JsonBody, readJson } from "../../decide/json.ts";

export const bufferLimit = 65_536;
/** Most bytes a buffered body may unfold to. */
const unfoldedLimit = 262_144;

export type Buffered =
  | { readonly kind: "whole"; readonly content: Buffer }
  /** Larger than the limit: nothing of it is lost, it goes on as a stream. */
  | { readonly kind: "larger"; readonly content: Readable };

/**
 * Reads until the body ends or exceeds the limit.
 *
 * @param declared the declared length in bytes, if there is one; a body declared larger is not read at all
 * @returns rejects when the client breaks off
 */
export function bufferBody(body: Readable, declared: number | undefined): Promise<Buffered> {
  if (declared !== undefined && declared > bufferLimit)
    return Promise.resolve({ kind: "larger", content: body });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = () => {
      body.off("data", onData);
      body.off("end", onEnd);
      body.off("error", onBroken);
      body.off("close", onBroken);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= bufferLimit) return;
      stop();
      body.pause();
      resolve({ kind: "larger", content: rejoined(chunks, body) });
    };
    const onEnd = () => {
      stop();
      resolve({ kind: "whole", content: Buffer.concat(chunks, length) });
    };
    const onBroken = () => {
      stop();
      reject(new Error("the client broke off"));
    };
    body.on("data", onData);
    body.on("end", onEnd);
    body.on("error", onBroken);
    body.on("close", onBroken);
  });
}

function rejoined(head: readonly Buffer[], rest: Readable): Readable {
  const whole = new PassThrough();
  // Its reader listens for errors too. Between two readers nobody does, and an unheard error ends the process.
  whole.on("error", () => {});
  for (const chunk of head) whole.write(chunk);
  rest.on("error", (error) => whole.destroy(error));
  rest.on("close", () => {
    if (!rest.readableEnded) whole.destroy(new Error("the client broke off"));
  });
  rest.pipe(whole);
  return whole;
}

/**
 * @param coding the Content-Encoding field, if there is one
 * @returns `undefined` when the body is not JSON in UTF-8, in a coding not known here, or unfolds to too much
 */
export function bodyJson(content: Buffer, coding: string | undefined): JsonBody | undefined {
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
