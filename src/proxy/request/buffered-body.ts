/**
 * Buffers a body of up to 64 KiB, because a key may be in it, and gives it on byte for byte; and reads what is in one
 * that was buffered whole, its content coding undone (RFC 9110 §8.4.1).
 */
import { PassThrough, type Readable } from "node:stream";
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { codeOf } from "../../base/errors.ts";
import { type BodyValues, readForm, readJson } from "../../decide/body.ts";
import { fieldValue } from "../../decide/sources.ts";
import type { RequestHead } from "../inbound.ts";

export const bufferLimit = 65_536;
/** Most bytes a buffered body may unfold to. */
const unfoldedLimit = 262_144;

export type Buffered =
  | {
      readonly kind: "whole";
      readonly content: Buffer;
      /** What it was read as, where it was. */
      values: ReturnType<typeof bodyValues> | undefined;
    }
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
      resolve({ kind: "whole", content: Buffer.concat(chunks, length), values: undefined });
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

/** @returns what `bodyValues` says of a request's body, which is read once; `undefined` for one that is too large */
export function requestValues(
  buffered: Buffered,
  { fields }: RequestHead,
  names: readonly string[],
): BodyValues | BodyFault | undefined {
  if (buffered.kind !== "whole") return undefined;
  buffered.values ??= bodyValues(
    buffered.content,
    fieldValue(fields, names, "content-type"),
    fieldValue(fields, names, "content-encoding"),
  );
  return buffered.values;
}

/** Why a body could not be read: it unfolds to too much, is in a coding not known here, or is not what it says. */
type BodyFault = "too_large" | "coding" | "malformed";

/**
 * @param type the Content-Type field, if there is one: a form is known by it, JSON whatever it says
 * @param coding the Content-Encoding field, if there is one
 * @param limit most bytes it may unfold to
 * @returns the body as text, and as JSON in UTF-8 or as a form where it is either; or why it cannot be read at all
 */
export function bodyValues(
  content: Buffer,
  type: string | undefined,
  coding: string | undefined,
  limit = unfoldedLimit,
): BodyValues | BodyFault {
  const plain = unfolded(content, coding?.trim().toLowerCase() ?? "", limit);
  if (typeof plain === "string") return plain;
  const text = plain.toString("latin1");
  const form = type === undefined ? undefined : readForm(text, type);
  return form === undefined ? { text, json: readJson(plain) } : { text, form };
}

/** The codings that `bodyValues` undoes (RFC 9110 §8.4.1). */
export const readableCodings: ReadonlySet<string> = new Set(["gzip", "x-gzip", "deflate", "br", "identity"]);

function unfolded(content: Buffer, coding: string, limit: number): Buffer | BodyFault {
  if (coding !== "" && !readableCodings.has(coding)) return "coding";
  try {
    const plain = unfold(content, coding, { maxOutputLength: limit });
    return plain.length > limit ? "too_large" : plain;
  } catch (error) {
    return codeOf(error) === "ERR_BUFFER_TOO_LARGE" ? "too_large" : "malformed";
  }
}

function unfold(content: Buffer, coding: string, limits: { readonly maxOutputLength: number }): Buffer {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return gunzipSync(content, limits);
    case "deflate":
      return isZlib(content) ? inflateSync(content, limits) : inflateRawSync(content, limits);
    case "br":
      return brotliDecompressSync(content, limits);
    default:
      return content;
  }
}

/** Some senders leave the zlib format away that RFC 9110 §8.4.1.2 asks for (RFC 1950 §2.2). */
function isZlib(content: Buffer): boolean {
  const [first = 0, second = 0] = content;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}
