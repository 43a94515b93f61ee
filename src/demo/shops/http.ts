/** The little that the shops' two listeners share: start, read a JSON body, answer JSON, stop. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { z } from "zod";

export interface Listener {
  /** http://HOST:PORT, the port that was really taken. */
  readonly url: string;
  /** Takes no new connection, lets requests in progress end for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** @param port 0: any free one. Rejects with the error of listen, EADDRINUSE among them. */
export async function listen(handler: RequestListener, host: string, port: number): Promise<Listener> {
  // Longer than any proxy keeps an idle connection: the side that sends requests should be the one to close.
  const server = createServer({ keepAliveTimeout: 75_000 }, handler);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;

  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actualPort}`,
    close: (graceMs) =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
      }),
  };
}

const maxBodyBytes = 65_536;

/** @returns the whole body; `undefined` when it is over 64 KiB. Rejects when the client leaves. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    // The rest is still read, so that the answer reaches a client that sends first and reads afterwards.
    if (length <= maxBodyBytes) chunks.push(chunk);
  }
  return length <= maxBodyBytes ? Buffer.concat(chunks) : undefined;
}

/** @returns the body as the schema has it; `undefined` when it is not JSON, or not of that shape */
export function parseJson<Schema extends z.ZodType>(
  body: Buffer,
  schema: Schema,
): z.output<Schema> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return schema.safeParse(value).data;
  } catch {
    return undefined;
  }
}

export interface ShopAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; nothing is sent without it. */
  readonly body?: unknown;
}

export function send(response: ServerResponse, answer: ShopAnswer): void {
  const content = answer.body === undefined ? undefined : `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    "cache-control": "no-store",
    ...(content === undefined
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(content)) }),
    ...answer.headers,
  });
  response.end(content);
}

/** The path of the request target, still encoded. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
