/**
 * Holds a request body of up to 64 KiB, because a key may be in it, and gives it on byte for byte.
 */
import { PassThrough, type Readable } from "node:stream";

export const holdLimit = 65_536;

export type Held =
  | { readonly kind: "whole"; readonly content: Buffer }
  /** Larger than the limit: nothing of it is lost, it goes on as a stream. */
  | { readonly kind: "larger"; readonly content: Readable };

/**
 * Reads until the body ends or exceeds the limit.
 *
 * @param declared the declared length in bytes, if there is one; a body declared larger is not read at all
 * @returns rejects when the client breaks off
 */
export function holdBody(body: Readable, declared: number | undefined): Promise<Held> {
  if (declared !== undefined && declared > holdLimit)
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
      if (length <= holdLimit) return;
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
  // Whoever reads it listens too; between two readers nobody does, and an unheard error ends the process.
  whole.on("error", () => {});
  for (const chunk of head) whole.write(chunk);
  rest.on("error", (error) => whole.destroy(error));
  rest.on("close", () => {
    if (!rest.readableEnded) whole.destroy(new Error("the client broke off"));
  });
  rest.pipe(whole);
  return whole;
}
