/** A TCP relay before a server that can be cut: nothing passes any more, and nobody is told. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Partition {
  readonly port: number;
  /** From now on no byte passes in either direction; connections stay open, new ones are taken and not answered. */
  cut(): void;
  /** What was held back is lost with its connections; new ones pass. */
  heal(): void;
  close(): Promise<void>;
}

export async function startPartition(port: number): Promise<Partition> {
  const sockets = new Set<Socket>();
  let isCut = false;

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  }

  const server = createServer((client) => {
    keep(client);
    if (isCut) {
      client.pause();
      return;
    }
    const upstream = connect(port, "127.0.0.1");
    keep(upstream);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("data", (piece) => {
        if (!isCut) to.write(piece);
      });
      // An end is news as well: it does not pass either.
      from.once("close", () => {
        if (!isCut) to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  function drop(): void {
    for (const socket of [...sockets]) socket.destroy();
  }

  return {
    port: address.port,
    cut: () => {
      isCut = true;
    },
    heal() {
      drop();
      isCut = false;
    },
    async close() {
      drop();
      server.close();
      await once(server, "close");
    },
  };
}
