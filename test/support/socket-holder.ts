/** Holds listening sockets as a supervisor does, and hands them to the processes it starts, one after the other. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Runner } from "./cutover.ts";
import { isAlive } from "./processes.ts";

export interface Holder extends Runner {
  readonly ports: readonly number[];
  close(): Promise<void>;
}

/** A shell: it inherits the sockets, accepts nothing, and passes them on. @param count of sockets, from descriptor 3 */
export async function startHolder(count: number): Promise<Holder> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => z.object({ port: z.int() }).parse(server.address()).port);
  const descriptors = servers.map((server) => {
    return z.object({ fd: z.int() }).parse(Reflect.get(server, "_handle")).fd;
  });
  const shell = spawn("/bin/sh", ["-s"], {
    env: { PATH: process.env.PATH ?? "", LISTEN_FDS: String(count) },
    stdio: ["pipe", "pipe", "inherit", ...descriptors],
  });
  const { stdin } = shell;
  if (stdin === null || shell.stdout === null) throw new Error("no way to the shell");
  const told = createInterface({ input: shell.stdout });
  // From here on the shell alone has them: this process would accept.
  for (const server of servers) server.close();
  const exits = new Map<number, (code: number) => void>();
  let onPid = (_: number) => {};
  let runs = 0;
  told.on("line", (text) => {
    const [kind, pid, code] = text.split(" ");
    if (kind === "pid") onPid(Number(pid));
    else exits.get(Number(pid))?.(Number(code));
  });
  const endWithTest = () => {
    for (const pid of exits.keys()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  };
  process.once("exit", endWithTest);
  return {
    ports,
    async run(words, folder, logged) {
      const command = words.map((word) => `"${word}"`).join(" ");
      const pid = new Promise<number>((resolve) => {
        onPid = resolve;
      });
      const noted = `${logged}.${++runs}.pid`;
      // LISTEN_PID is the process's own: a shell tells its id and becomes the process.
      stdin.write(
        `( sh -c 'echo $$ > "${noted}"; echo "pid $$"; cd "${folder}"; export LISTEN_PID=$$; exec ${command} >> "${logged}" 2>&1'; ` +
          `code=$?; echo "exit $(cat "${noted}") $code" ) &\n`,
      );
      const started = await pid;
      const exit = new Promise<number>((resolve) => exits.set(started, resolve));
      return { pid: started, exit };
    },
    async close() {
      process.off("exit", endWithTest);
      stdin.end();
      await once(shell, "exit");
    },
  };
}
