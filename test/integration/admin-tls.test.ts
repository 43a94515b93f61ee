/** The admin listener over TLS with certificates of clients, as an instance has it and the command line asks it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createAuthority } from "../support/certificates.ts";
import { runCutover, startServe } from "../support/cutover.ts";
import { serveYaml } from "../support/serve-yaml.ts";

const authority = createAuthority();
afterAll(() => authority.remove());

test("the command line shows its certificate, and is let in; without it nobody is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-admin-tls-"));
  const [own, client] = [authority.issue("admin"), authority.issue("client")];
  const sides = { legacy: "http://127.0.0.1:9", new: "http://127.0.0.1:9" };
  const tls = `{ cert: '${own.cert}', key: '${own.key}', ca: '${authority.ca}' }`;
  const yaml = serveYaml({ sides, listeners: { admin: `port: 0, tls: ${tls}` } });
  const serving = await startServe({ folder, name: "a", yaml });
  try {
    expect(serving.admin).toMatch(/^https:/);
    const env = { CUTOVER_ADMIN_URL: serving.admin, NODE_EXTRA_CA_CERTS: authority.ca };
    const shown = { CUTOVER_CLIENT_CERT: client.cert, CUTOVER_CLIENT_KEY: client.key };
    const [known, stranger, half] = await Promise.all([
      runCutover(["rollback", "checkout"], { env: { ...env, ...shown } }),
      runCutover(["rollback", "checkout"], { env }),
      runCutover(["status"], { env: { ...env, CUTOVER_CLIENT_CERT: client.cert } }),
    ]);
    expect(known).toMatchObject({ code: 0, stderr: "" });
    expect(stranger).toMatchObject({ code: 3, stdout: "" });
    expect(half.code).toBe(2);
    expect(half.stderr).toContain("the client certificate or its key cannot be read");
    // It ends as ever, with a connection of each kind just over.
    expect(await serving.stop()).toBe(0);
  } finally {
    await serving.kill();
    await rm(folder, { recursive: true });
  }
});
