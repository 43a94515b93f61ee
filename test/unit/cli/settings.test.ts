import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { clientFor } from "../../../src/cli/options.ts";
import { readConfirmRule } from "../../../src/cli/settings.ts";
import { runOnPaper } from "../../support/paper-terminal.ts";

let home = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cutover-home-"));
});
afterEach(() => rm(home, { recursive: true }));

async function settings(text: string): Promise<{ readonly XDG_CONFIG_HOME: string }> {
  await mkdir(join(home, "cutover"), { recursive: true });
  await writeFile(join(home, "cutover", "cli.yaml"), text);
  return { XDG_CONFIG_HOME: home };
}

async function urlOf(options: { readonly adminUrl?: string }, env: Readonly<Record<string, string>>) {
  const client = await clientFor(options, env, () => undefined);
  return client.ok ? client.value.url : client.failure.message;
}

test("a flag wins over the environment, that over the file, that over what is usual", async () => {
  const env = await settings("adminUrl: http://127.0.0.1:3\n");
  const told = { ...env, CUTOVER_ADMIN_URL: "http://127.0.0.1:2" };
  expect(await urlOf({ adminUrl: "http://127.0.0.1:1" }, told)).toBe("http://127.0.0.1:1");
  expect(await urlOf({}, told)).toBe("http://127.0.0.1:2");
  expect(await urlOf({}, env)).toBe("http://127.0.0.1:3");
  expect(await urlOf({}, { XDG_CONFIG_HOME: join(home, "none") })).toBe("http://127.0.0.1:9900");
  expect(await urlOf({}, {})).toBe("http://127.0.0.1:9900");
});

test("without XDG_CONFIG_HOME, or with a relative one, it is in ~/.config", async () => {
  await mkdir(join(home, ".config"));
  const { XDG_CONFIG_HOME: base } = await settings("adminUrl: http://127.0.0.1:4\n");
  await mkdir(join(home, ".config", "cutover"));
  await writeFile(join(home, ".config", "cutover", "cli.yaml"), "adminUrl: http://127.0.0.1:5\n");
  expect(await urlOf({}, { HOME: base })).toBe("http://127.0.0.1:5");
  expect(await urlOf({}, { HOME: base, XDG_CONFIG_HOME: "relative" })).toBe("http://127.0.0.1:5");
});

test("the token's file is found from the settings' folder; what it lacks is said", async () => {
  const env = await settings("tokenFile: token\n");
  expect((await clientFor({}, env, () => undefined)).ok).toBe(false);
  await writeFile(join(home, "cutover", "token"), "cutover_secret\n");
  expect((await clientFor({}, env, () => undefined)).ok).toBe(true);
});

test("a token is read from the file a flag names, else from CUTOVER_TOKEN, else from the file of CUTOVER_TOKEN_FILE", async () => {
  const server = createServer((request, response) => {
    response.end(JSON.stringify([request.headers.authorization]));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = z.object({ port: z.int() }).parse(server.address());
    const env = {
      ...(await settings("tokenFile: standing\n")),
      CUTOVER_ADMIN_URL: `http://127.0.0.1:${port}`,
    };
    for (const name of ["standing", "flag", "env"])
      await writeFile(join(home, "cutover", name), `of-${name}\n`);
    const CUTOVER_TOKEN_FILE = join(home, "cutover", "env");
    const sent: unknown[] = [];
    server.on("request", ({ headers }) => sent.push(headers.authorization));
    const ask = async (options: { tokenFile?: string }, more: Readonly<Record<string, string>>) => {
      const client = await clientFor(options, { ...env, ...more }, () => undefined);
      if (client.ok) await client.value.cutovers();
    };
    await ask({ tokenFile: join(home, "cutover", "flag") }, { CUTOVER_TOKEN: "told", CUTOVER_TOKEN_FILE });
    await ask({}, { CUTOVER_TOKEN: "told", CUTOVER_TOKEN_FILE });
    await ask({}, { CUTOVER_TOKEN_FILE });
    await ask({}, {});
    expect(sent).toEqual(["Bearer of-flag", "Bearer told", "Bearer of-env", "Bearer of-standing"]);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test.each([
  ["adminUrl: 5\n", "adminUrl: expected adminUrl and tokenFile"],
  ["token: hunter2\n", "token: expected adminUrl and tokenFile"],
  ["confirm: hunter2\n", "confirm: expected adminUrl and tokenFile, each a text, and confirm: always"],
  ["- hunter2\n", "the whole: expected"],
  ["adminUrl: [hunter2\n", "it is not YAML"],
])("%j is refused with the file's name, and not repeated", async (text, said) => {
  const { code, stderr } = await runOnPaper(["status"], { env: await settings(text) });
  expect(code).toBe(2);
  expect(stderr).toContain(`${join(home, "cutover", "cli.yaml")}: ${said}`);
  expect(stderr).not.toContain("hunter2");
});

test("an empty file says nothing", async () => {
  expect(await urlOf({}, await settings("# nothing yet\n"))).toBe("http://127.0.0.1:9900");
});

test("whether scripts have to confirm: the environment wins over the file; without both they need not", async () => {
  const always = { ok: true, value: "always" };
  const terminal = { ok: true, value: "terminal" };
  const env = await settings("confirm: always\n");
  expect(await readConfirmRule(env)).toEqual(always);
  expect(await readConfirmRule({ ...env, CUTOVER_CONFIRM: "terminal" })).toEqual(terminal);
  expect(await readConfirmRule({ ...env, CUTOVER_CONFIRM: "" })).toEqual(always);
  expect(await readConfirmRule({ CUTOVER_CONFIRM: "always" })).toEqual(always);
  expect(await readConfirmRule({})).toEqual(terminal);
  expect(await readConfirmRule({ CUTOVER_CONFIRM: "yes" })).toMatchObject({
    ok: false,
    failure: { exit: 2 },
  });
});

test("a token that goes to another host unencrypted is warned of; none, or one on this host, or over TLS, is not", async () => {
  const warned = async (adminUrl: string, env: Readonly<Record<string, string>>) => {
    const warnings: string[] = [];
    await clientFor({ adminUrl }, env, (text) => warnings.push(text));
    return warnings;
  };
  const env = { CUTOVER_TOKEN: "cutover_secret" };
  const [warning, ...more] = await warned("http://cutover.example:9900,http://127.0.0.1:9900", env);
  expect(warning).toMatch(/^warning: the token goes to cutover\.example:9900 unencrypted/);
  expect(warning).not.toContain("secret");
  expect(more).toEqual([]);
  expect(await warned("http://10.0.0.1:9900", env)).toHaveLength(1);
  expect(await warned("http://localhost.example:9900", env)).toHaveLength(1);
  for (const url of [
    "http://localhost:9900",
    "http://127.8.0.1:1",
    "http://[::1]:9900",
    "https://cutover.example",
  ])
    expect(await warned(url, env)).toEqual([]);
  expect(await warned("http://cutover.example:9900", {})).toEqual([]);
});
