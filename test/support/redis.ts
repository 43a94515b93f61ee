/**
 * A real redis-server of the test's own: on 127.0.0.1, a free port, its own temporary folder. Can be killed,
 * frozen, thawed and started again on the same port.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { endsWithTest } from "./processes.ts";

export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  /** Runs one command as redis-cli would, on a connection of its own. */
  cli(...command: readonly (string | number)[]): Promise<RedisAnswer>;
  /** SIGKILL; what was in memory is lost. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: the port still accepts connections, nothing answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Starts it again on the same port, when it was killed. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
}

export type RedisAnswer = string | number | null | readonly RedisAnswer[];

/** @param flags more of redis-server's, e.g. `["--requirepass", "x"]`, `["--appendonly", "yes"]` */
export async function startRedis(flags: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-redis-"));
  const port = await freePort();
  let child = await launch();

  async function launch(): Promise<ChildProcess> {
    const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    const started = spawn("redis-server", [...fixed, ...flags], { stdio: "ignore" });
    endsWithTest(started);
    await answering(started, port);
    return started;
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli: (...command) => ask(port, command.map(String)),
    kill,
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    async restart() {
      if (child.exitCode !== null || child.signalCode !== null) child = await launch();
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answering(child: ChildProcess, port: number): Promise<void> {
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  for (let attempt = 0; attempt < 500; attempt++) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    try {
      await ask(port, ["PING"]);
      return;
    } catch (error) {
      // A server that wants a password answers, too.
      if (error instanceof Error && error.message.startsWith("NOAUTH")) return;
      await sleep(10);
    }
  }
  throw new Error("redis-server does not answer");
}

/** Speaks RESP2 by itself, so that the tests do not lean on the client that they test. */
function ask(port: number, command: readonly string[]): Promise<RedisAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1");
    socket.setTimeout(5000, () => socket.destroy(new Error("redis-server gave no answer")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("redis-server closed the connection")));
    socket.on("data", (chunk) => {
      received += chunk;
      const parsed = parse(received, 0);
      if (parsed === undefined) return;
      if (parsed.value instanceof Error) reject(parsed.value);
      else resolve(parsed.value);
      socket.destroy();
    });
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
    socket.write(`*${command.length}\r\n${parts.join("")}`);
  });
}

interface Parsed {
  readonly value: RedisAnswer | Error;
  readonly end: number;
}

function parse(text: string, from: number): Parsed | undefined {
  const lineEnd = text.indexOf("\r\n", from);
  if (lineEnd === -1) return undefined;
  const line = text.slice(from + 1, lineEnd);
  const start = lineEnd + 2;
  switch (text[from]) {
    case "+":
      return { value: line, end: start };
    case "-":
      return { value: new Error(line), end: start };
    case ":":
      return { value: Number(line), end: start };
    case "$": {
      const length = Number(line);
      if (length < 0) return { value: null, end: start };
      if (text.length < start + length + 2) return undefined;
      const value = Buffer.from(text.slice(start, start + length), "latin1").toString("utf8");
      return { value, end: start + length + 2 };
    }
    default:
      return parseArray(text, Number(line), start);
  }
}

function parseArray(text: string, length: number, start: number): Parsed | undefined {
  if (length < 0) return { value: null, end: start };
  const values: RedisAnswer[] = [];
  let at = start;
  for (let index = 0; index < length; index++) {
    const parsed = parse(text, at);
    if (parsed === undefined) return undefined;
    if (parsed.value instanceof Error) return { value: parsed.value, end: parsed.end };
    values.push(parsed.value);
    at = parsed.end;
  }
  return { value: values, end: at };
}
