/**
 * An upstream for clients that leave: it never answers /cart/wait, sends /cart/download without an end, takes
 * /cart/upload to its end, and changes the protocol on /cart/socket. It tells when a request has come, by its field
 * `x-number`.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { portOf } from "../../src/proxy/listen/server.ts";

export interface LeftUpstream {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  arrived(number: number): Promise<void>;
  /** Open connections. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

const chunk = Buffer.alloc(16_384, "d");

export async function startLeftUpstream(): Promise<LeftUpstream> {
  const awaited = new Map<string, () => void>();
  const tell = ({ headers }: IncomingMessage) => awaited.get(String(headers["x-number"]))?.();
  const server = createServer((request, response) => {
    tell(request);
    request.on("error", () => {}).resume();
    if (request.url === "/cart/download") download(response);
    else if (request.url === "/cart/upload") request.on("end", () => response.end("taken"));
  });
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {}).on("end", () => socket.end());
    socket.resume();
    tell(request);
    if (request.url !== "/cart/socket") return;
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  });
  // So that connections kept by the proxy are soon gone.
  server.keepAliveTimeout = 2000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    arrived(number) {
      return new Promise((resolve) => {
        awaited.set(`${number}`, () => {
          awaited.delete(`${number}`);
          resolve();
        });
      });
    },
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function download(response: ServerResponse): void {
  response.on("error", () => {});
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}
