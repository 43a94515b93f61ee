/** A plain relay on node:http: stands where a proxy would, and may be as wrong as a test wants it. */
import { createServer, type IncomingMessage, request as send } from "node:http";

export interface Relay {
  readonly url: string;
  /** Requests relayed so far. */
  relayed(): number;
  close(): Promise<void>;
}

/** @param choose the upstream's base URL for a request */
export async function startRelay(choose: (request: IncomingMessage) => string): Promise<Relay> {
  let relayed = 0;
  const server = createServer((request, response) => {
    relayed += 1;
    const target = new URL(request.url ?? "/", choose(request));
    const onward = send(target, { method: request.method ?? "GET", headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    relayed: () => relayed,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
