/** Reads a stream of server-sent events (HTML Living Standard §9.2.6: field lines, an empty line dispatches). */

export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** More than this without an end of line is no event stream of ours. */
const maxLineLength = 4_000_000;

/** @throws Error when a line exceeds 4 million characters; whatever the stream throws */
export async function* readEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let event = "";
  let data: string[] = [];
  for await (const line of readLines(stream)) {
    if (line === "") {
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
}

/** Lines end in LF, CR or CRLF; a CRLF may be split over two chunks. An unfinished last line is dropped. */
async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const half = rest.endsWith("\r") ? "\r" : "";
    const lines = rest.slice(0, rest.length - half.length).split(/\r\n|\r|\n/);
    rest = (lines.pop() ?? "") + half;
    if (rest.length > maxLineLength) throw new Error("the event stream sent a line without end");
    yield* lines;
  }
}
