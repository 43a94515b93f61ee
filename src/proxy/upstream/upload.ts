/**
 * The way of a streamed request body from its Readable to an engine.
 *
 * It sees that the body is of its declared length (RFC 9112 §6.3: a message that ends early is incomplete, and what follows
 * it would be read as the next request) and turns every way of breaking off into one call of `fail`. The Readable is
 * read only from the first `resume` on, and never destroyed: once released it is paused and the caller's again.
 */
import type { Readable } from "node:stream";

interface UploadTarget {
  /** @returns false when no more is wanted until `resume` */
  write(chunk: Buffer): boolean;
  /** The body came whole. */
  end(): void;
  /** It broke off, or was longer or shorter than declared. */
  fail(): void;
}

export interface Upload {
  resume(): void;
  /** Reads no more and calls nothing back. */
  release(): void;
}

/** @param length octets declared, undefined when nobody declared any */
export function createUpload(content: Readable, length: number | undefined, target: UploadTarget): Upload {
  let moved = 0;
  let reading = false;
  let over = false;

  function onData(chunk: Buffer): void {
    moved += chunk.length;
    if (length !== undefined && moved > length) fail();
    else if (!target.write(chunk) && !over) content.pause();
  }
  function onEnd(): void {
    if (length !== undefined && moved !== length) fail();
    else {
      release();
      target.end();
    }
  }
  function fail(): void {
    if (over) return;
    release();
    target.fail();
  }
  function release(): void {
    if (over) return;
    over = true;
    content.off("data", onData).off("end", onEnd).off("close", fail).off("error", fail);
    content.pause();
  }

  // An error after release is nobody's fault here, but unheard it would end the process.
  content.on("error", ignore).on("error", fail).on("close", fail).on("end", onEnd);
  if (content.readableEnded) process.nextTick(onEndedBefore);
  else if (content.destroyed) process.nextTick(fail);

  function onEndedBefore(): void {
    if (!over) onEnd();
  }

  return {
    resume() {
      if (over) return;
      if (!reading) {
        reading = true;
        content.on("data", onData);
      }
      content.resume();
    },
    release,
  };
}

function ignore(): void {}
