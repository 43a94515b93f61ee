import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { makeToken } from "../../../../../src/cli/commands/local/token.ts";

test("a secret has 256 random bits, and the configuration's line for it is the SHA-256 of its text", async () => {
  const { secret, sha256 } = await makeToken();
  expect(Buffer.from(secret.replace("cutover_", ""), "base64url")).toHaveLength(32);
  expect(sha256).toBe(createHash("sha256").update(secret).digest("hex"));
  expect((await makeToken()).secret).not.toBe(secret);
});
