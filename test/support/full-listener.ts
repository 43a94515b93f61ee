/** A listener whose queue of connections is full: who connects gets no answer, neither yes nor no. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

/** Listens, tells its port, and is stopped: nothing is accepted before it is thawed. */
const program = `
  const server = require("node:http").createServer((_, response) => response.end("late"));
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    process.kill(process.pid, "SIGSTOP");
  });
`;

export async function startFullListener(): Promise<{
  readonly url: URL;
  /** Accepts from now on, and answers requests with `late`. A client that got no answer asks again after 1 s. */
  thaw(): void;
  close(): void;
}> {
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(child.stdout, "data");
  // Linux queues one more than the backlog.
  const filling = Array.from({ length: 4 }, () => connect(Number(port), "127.0.0.1").on("error", () => {}));
  await Promise.all(filling.slice(0, 2).map((socket) => once(socket, "connect")));
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    thaw: () => void child.kill("SIGCONT"),
    close() {
      for (const socket of filling) socket.destroy();
      child.kill("SIGKILL");
    },
  };
}
