/**
 * Two real upstreams in this process that answer each request as its field `x-script` was told to, and write down what
 * reached which of them.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Side } from "../../src/state/rules/model.ts";

export interface Script {
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: string;
  /** Where the connection is reset, if it is. `refused`: there was none at all. */
  readonly breaks: "never" | "before the head" | "after the head" | "refused";
}

export interface Receipt {
  readonly script: string;
  readonly side: Side;
  readonly method: string;
}

export interface ScriptedSides {
  /** `http://127.0.0.1:PORT` */
  readonly url: Readonly<Record<Side, string>>;
  readonly receipts: readonly Receipt[];
  /** @param whenReceived resolves when the answer may begin */
  tell(name: string, script: Script, whenReceived?: () => Promise<void>): void;
  isRefused(name: string): boolean;
  /** Nothing was ever asked or received. */
  forget(): void;
  close(): Promise<void>;
}

interface Told {
  readonly script: Script;
  readonly whenReceived: (() => Promise<void>) | undefined;
}

export async function startScriptedSides(): Promise<ScriptedSides> {
  const told = new Map<string, Told>();
  const receipts: Receipt[] = [];
  const listen = async (side: Side) => {
    const server = createServer({ keepAlive: true }, (request, response) => {
      const name = String(request.headers["x-script"]);
      receipts.push({ script: name, side, method: request.method ?? "" });
      request.resume();
      request.once("end", () => void play(told.get(name), request, response));
    });
    server.keepAliveTimeout = 60_000;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  };
  const servers = { legacy: await listen("legacy"), new: await listen("new") };
  return {
    url: { legacy: urlOf(servers.legacy), new: urlOf(servers.new) },
    receipts,
    tell: (name, script, whenReceived) => void told.set(name, { script, whenReceived }),
    isRefused: (name) => told.get(name)?.script.breaks === "refused",
    forget() {
      told.clear();
      receipts.length = 0;
    },
    async close() {
      for (const server of Object.values(servers)) {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      }
    },
  };
}

async function play(
  told: Told | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (told === undefined) throw new Error("a request without a script");
  const { status, fields, body, breaks } = told.script;
  await told.whenReceived?.();
  if (breaks === "before the head") return void request.socket.resetAndDestroy();
  const isBodiless = request.method === "HEAD" || status === 204 || status === 304;
  const length = isBodiless ? [] : ["Content-Length", String(Buffer.byteLength(body))];
  response.writeHead(status, [...fields, ...length]);
  if (breaks === "never") response.end(isBodiless ? "" : body);
  else response.write(body.slice(0, -1), () => request.socket.resetAndDestroy());
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}
