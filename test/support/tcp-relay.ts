/** A TCP relay before a server, which a test can make hold back or lose what passes. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpRelay {
  readonly port: number;
  /**
   * Holds back the next piece the client sends that contains the text, and all after it. Resolves, when there is
   * one, to what lets them pass; the client's connection may be gone by then, the server still receives them.
   */
  holdBack(text: string): Promise<() => void>;
  /** Lets the next piece that contains the text pass, and cuts the connection instead of relaying the answer. */
  loseAnswerTo(text: string): Promise<void>;
  close(): Promise<void>;
}

type Rule = { readonly text: string } & (
  | { readonly kind: "hold"; readonly done: (release: () => void) => void }
  | { readonly kind: "lose"; readonly done: () => void }
);

export async function startTcpRelay(port: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  let rule: Rule | undefined;

  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    let held: Buffer[] | undefined;
    let muted = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
    }
    client.on("data", (piece) => {
      if (held !== undefined) {
        held.push(piece);
        return;
      }
      const met = rule !== undefined && piece.includes(rule.text) ? rule : undefined;
      if (met !== undefined) rule = undefined;
      if (met?.kind === "hold") {
        held = [piece];
        met.done(() => {
          for (const each of held ?? []) upstream.write(each);
          held = undefined;
          if (client.destroyed) upstream.end();
        });
        return;
      }
      if (met?.kind === "lose") {
        muted = true;
        upstream.once("data", () => {
          client.destroy();
          met.done();
        });
      }
      upstream.write(piece);
    });
    upstream.on("data", (piece) => {
      if (!muted && !client.destroyed) client.write(piece);
    });
    client.once("close", () => {
      if (held === undefined) upstream.end();
    });
    upstream.once("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    port: address.port,
    holdBack: (text) =>
      new Promise((done) => {
        rule = { kind: "hold", text, done };
      }),
    loseAnswerTo: (text) =>
      new Promise((done) => {
        rule = { kind: "lose", text, done };
      }),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
