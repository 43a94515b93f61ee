/** The user of docs/redis.md, as the documentation has it, on a server of the test's own. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RedisServer } from "./redis.ts";

const page = fileURLToPath(new URL("../../docs/redis.md", import.meta.url));

/** @returns the URL to sign in with */
export async function addDocumentedUser(server: RedisServer): Promise<string> {
  const line = /^ACL SETUSER cutover .*$/m.exec(readFileSync(page, "utf8"))?.[0];
  if (line === undefined) throw new Error("docs/redis.md has no user");
  await server.cli(...line.replace(">PASSWORD", ">sesame").split(" "));
  return `redis://cutover:sesame@127.0.0.1:${server.port}`;
}

/** What the server has refused its users since it started, as `ACL LOG` tells it. */
export async function refusals(server: RedisServer): Promise<readonly string[]> {
  const log = await server.cli("ACL", "LOG");
  if (!Array.isArray(log)) throw new Error("no log");
  return log.map((entry) => JSON.stringify(entry));
}
