import { describe, expect, test } from "vitest";
import { inheritedSockets } from "../../../src/instance/sockets.ts";

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
