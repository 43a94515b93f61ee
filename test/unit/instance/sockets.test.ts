import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { findPort, inheritedSockets } from "../../../src/instance/sockets.ts";

describe("sockets handed over by a supervisor (sd_listen_fds(3))", () => {
  test.each([
    ["none", {}, {}],
    ["one, the proxy's", { LISTEN_FDS: "1", LISTEN_PID: "7" }, { proxy: 3 }],
    ["two, the proxy's first", { LISTEN_FDS: "2", LISTEN_PID: "7" }, { proxy: 3, admin: 4 }],
    [
      "two by their names",
      { LISTEN_FDS: "2", LISTEN_PID: "7", LISTEN_FDNAMES: "admin:proxy" },
      { proxy: 4, admin: 3 },
    ],
    ["one by its name", { LISTEN_FDS: "1", LISTEN_PID: "7", LISTEN_FDNAMES: "admin" }, { admin: 3 }],
    ["names that say nothing", { LISTEN_FDS: "1", LISTEN_PID: "7", LISTEN_FDNAMES: "unknown" }, { proxy: 3 }],
    ["a name too many", { LISTEN_FDS: "1", LISTEN_PID: "7", LISTEN_FDNAMES: "proxy:admin" }, { proxy: 3 }],
    ["another process's", { LISTEN_FDS: "2", LISTEN_PID: "8" }, {}],
    ["without a process", { LISTEN_FDS: "2" }, {}],
    ["no number", { LISTEN_FDS: "two", LISTEN_PID: "7" }, {}],
    ["a negative number", { LISTEN_FDS: "-1", LISTEN_PID: "7" }, {}],
  ])("%s", (_, env, expected) => {
    expect(inheritedSockets(env, 7)).toEqual(expected);
  });
});

describe("a free port", () => {
  const host = "127.0.0.1";

  test("is none that the system may give to a connection before the workers listen", async () => {
    const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "32768 60999");
    const [low = 0, high = 0] = range.trim().split(/\s+/).map(Number);
    for (let i = 0; i < 200; i++) {
      const port = await findPort({ host, port: 0 });
      expect(port < low || port > high).toBe(true);
    }
  });

  test("can be listened on, and is then no free one", async () => {
    const port = await findPort({ host, port: 0 });
    const server = createServer().listen(port, host);
    await once(server, "listening");
    await expect(findPort({ host, port })).rejects.toThrow("EADDRINUSE");
    server.close();
  });
});
