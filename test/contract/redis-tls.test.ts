/** TLS, and what becomes of a connection whose server is a primary no more. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { applyAll, command, noneKnown, setTo, stateOf } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import type { RedisServer } from "../support/redis.ts";
import { addDocumentedUser } from "../support/redis-user.ts";
import { failing, msToUnavailable, until } from "./redis-failing.ts";

const given = failing();
let authority: Authority;

beforeAll(() => {
  authority = createAuthority();
});
afterEach(() => given.end());
afterAll(() => authority.remove());

/** @returns the server and the port that wants TLS */
async function secured(): Promise<{ readonly server: RedisServer; readonly port: number }> {
  const { cert, key } = authority.issue("redis");
  const port = await freePort();
  const tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca];
  const server = await given.server(["--tls-port", String(port), ...tls, "--tls-auth-clients", "no"]);
  return { server, port };
}

test("the client signs in over TLS, trusting the file that the URL names", async () => {
  const { server, port } = await secured();
  await addDocumentedUser(server);
  const url = `rediss://cutover:sesame@127.0.0.1:${port}?ca=${encodeURIComponent(authority.ca)}`;
  const store = given.storeAt(url);
  await applyAll(store, "checkout", [setTo(10)]);
  let hints = 0;
  store.subscribe(() => {
    hints += 1;
  });
  await until("the subscription", () => hints === 1);
  await applyAll(store, "checkout", [setTo(20)]);
  await until("a hint", () => hints === 2);
});

test("the client does not talk to a server whose certificate nobody it trusts has signed, and says so", async () => {
  const { port } = await secured();
  const log = createRecordedLog();
  const store = given.storeAt(`rediss://127.0.0.1:${port}`, log);
  await msToUnavailable(store.load(["checkout"], noneKnown));
  expect(log.about("no connection").map(({ fields }) => fields.code)).toEqual(["SELF_SIGNED_CERT_IN_CHAIN"]);
});

test("the client refuses a file of certificates that is not there, without the password", () => {
  const url = "rediss://:sesame@127.0.0.1:1?ca=/nowhere/ca.pem";
  expect(() => createRedisStore({ client: createRedisClient(url) })).toThrow(
    "the store's ca file can not be read: /nowhere/ca.pem",
  );
});

test("the client looks for the primary anew when a script answers READONLY", async () => {
  const redis = await given.server();
  const store = given.storeAt(redis.url);
  await applyAll(store, "checkout", [setTo(10)]);
  const connection = async () =>
    /id=(\d+) [^\n]*name=cutover-commands/.exec(String(await redis.cli("CLIENT", "LIST")))?.[1];
  const before = await connection();
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  await msToUnavailable(store.apply(command("checkout", setTo(20))));
  await until("another connection", async () => ![undefined, before].includes(await connection()));
  await redis.cli("REPLICAOF", "NO", "ONE");
  expect((await stateOf(store, "checkout")).version).toBe(1);
});
