/** Servers that answer nothing a client can use, each in its own way; what stands before an API that is not there. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod";

const page = "<!doctype html><title>Welcome</title>";
const answer = (status: string, type: string, body: string, length = body.length) =>
  `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n${body}`;
const after = (text: string) => (socket: Socket) =>
  void socket.once("data", () => socket.end(Buffer.from(text, "latin1")));

/** By what they do with a connection. */
const ways: Readonly<Record<string, (socket: Socket) => void>> = {
  "closes at once": (socket) => void socket.end(),
  "resets at once": (socket) => void socket.resetAndDestroy(),
  "closes after the request": after(""),
  hangs: () => {},
  "hangs after half an answer": (socket) =>
    void socket.once("data", () => socket.write(answer("200 OK", "application/json", "[{", 500))),
  "ends in the head": after("HTTP/1.1 200 OK\r\ncontent-ty"),
  "ends in the body": after(answer("200 OK", "application/json", "[{", 500)),
  "ends in the body of a stream": after(answer("200 OK", "text/event-stream", "event: sna", 500)),
  "answers garbage": after("\u0016\u0003\u0001\u00ff\u0000garbage\r\n\r\n"),
  "answers HTML": after(answer("200 OK", "text/html", page)),
  "answers 502": after(answer("502 Bad Gateway", "text/html", page)),
  "answers JSON of another kind": after(answer("200 OK", "application/json", '{"ok":true}')),
  "answers an empty 204": after("HTTP/1.1 204 No Content\r\n\r\n"),
  "sends elsewhere": after("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n"),
};

interface BrokenServer {
  readonly way: string;
  readonly url: string;
}

export async function startBrokenServers(): Promise<{
  readonly all: readonly BrokenServer[];
  close(): void;
}> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const all: BrokenServer[] = [];
  for (const [way, take] of Object.entries(ways)) {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      take(socket);
    });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = z.object({ port: z.int() }).parse(server.address());
    all.push({ way, url: `http://127.0.0.1:${port}` });
  }
  return {
    all,
    close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
