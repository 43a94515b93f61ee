import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../../../src/config/load/load.ts";
import { formatProblem } from "../../../../src/config/load/problems.ts";
import { type Authority, createAuthority } from "../../../support/certificates.ts";
import { configOf, least, problemsOf } from "../support.ts";

let authority: Authority;
let folder: string;
beforeAll(() => {
  authority = createAuthority();
  folder = mkdtempSync(join(tmpdir(), "cutover-config-"));
});
afterAll(() => {
  authority.remove();
  rmSync(folder, { recursive: true });
});

/** What is said of a file with these lines after `least`, from line 5 on; and its warnings. */
async function check(text: string) {
  const file = join(folder, "c.yaml");
  writeFileSync(file, text);
  const loaded = await loadConfig(file, {});
  const said = (loaded.ok ? loaded.warnings : loaded.problems).map((problem) =>
    formatProblem({ ...problem, file: "c.yaml" }),
  );
  return { ok: loaded.ok, said };
}

const listener = (cert: string, key: string) =>
  `${least}listeners:\n  proxy:\n    tls:\n      cert: ${cert}\n      key: ${key}\n`;

describe("listeners.proxy.tls", () => {
  test("a certificate and its key load", async () => {
    const { cert, key } = authority.issue("sound");
    expect(await check(listener(cert, key))).toEqual({ ok: true, said: [] });
    expect(configOf(listener(cert, key)).listeners.proxy.tls).toEqual({ cert, key });
  });

  test("both are needed, and nothing else is known", () => {
    expect(problemsOf(`${least}listeners: { proxy: { tls: { cert: a } } }\n`)).toEqual([
      "c.yaml:5:23 listeners.proxy.tls.key: expected a text; found nothing",
    ]);
    expect(problemsOf(`${least}listeners: { proxy: { tls: { cert: a, key: b, ciphers: c } } }\n`)).toEqual([
      "c.yaml:5:47 listeners.proxy.tls.ciphers: unknown key: expected one of cert, key",
    ]);
  });

  test("are read of the admin listener, too, with an authority of its clients", async () => {
    const { cert, key } = authority.issue("admin");
    const of = (ca: string) =>
      `${least}listeners: { admin: { tls: { cert: '${cert}', key: '${key}', ca: '${ca}' } } }\n`;
    expect(await check(of(authority.ca))).toEqual({ ok: true, said: [] });
    expect(await check(of(key))).toEqual({
      ok: false,
      said: [expect.stringMatching(/listeners\.admin\.tls\.ca: expected a certificate in PEM/)],
    });
    expect(await check(of(authority.ca).replace(key, cert))).toMatchObject({ ok: false });
  });

  test("a file that is not there is told at its value, both at once", async () => {
    expect(await check(listener("/nowhere/a.crt", "/nowhere/a.key"))).toEqual({
      ok: false,
      said: [
        'c.yaml:8:13 listeners.proxy.tls.cert: expected a file that can be read: ENOENT; found "/nowhere/a.crt"',
        'c.yaml:9:12 listeners.proxy.tls.key: expected a file that can be read: ENOENT; found "/nowhere/a.key"',
      ],
    });
  });

  test("a file that holds something else is told at its value, and nothing of it is shown", async () => {
    const { cert, key } = authority.issue("swapped");
    const { ok, said } = await check(listener(key, cert));
    expect(ok).toBe(false);
    expect(said).toEqual([
      expect.stringMatching(/^c\.yaml:8:13 listeners\.proxy\.tls\.cert: expected a certificate in PEM/),
      expect.stringMatching(/^c\.yaml:9:12 listeners\.proxy\.tls\.key: expected a private key in PEM/),
    ]);
    expect(said.join()).not.toContain("BEGIN");
  });

  test("a key of another certificate is told at the key", async () => {
    const { ok, said } = await check(listener(authority.issue("one").cert, authority.issue("other").key));
    expect(ok).toBe(false);
    expect(said).toEqual([
      expect.stringMatching(
        /^c\.yaml:9:12 listeners\.proxy\.tls\.key: expected the key of the certificate in cert/,
      ),
    ]);
  });

  test("a certificate that is over is a warning", async () => {
    const { cert, key } = authority.issue("over", ["localhost"], -1);
    const { ok, said } = await check(listener(cert, key));
    expect(ok).toBe(true);
    expect(said).toEqual([
      expect.stringMatching(/^c\.yaml:8:7 listeners\.proxy\.tls\.cert: the certificate was valid until /),
    ]);
  });
});

describe("several certificates", () => {
  const list = (pairs: readonly { cert: string; key: string }[], more = "") =>
    [
      `${least}listeners:`,
      "  proxy:",
      "    tls:",
      ...pairs.map(({ cert, key }) => `      - { cert: ${cert}, key: ${key} }`),
      more,
    ].join("\n");

  test("each is looked at, at its own line", async () => {
    const [one, two] = [authority.issue("a", ["a.example"]), authority.issue("b", ["b.example"], -1)];
    expect(await check(list([one, { cert: one.cert, key: two.key }]))).toMatchObject({
      ok: false,
      said: [expect.stringMatching(/^c\.yaml:9:.* listeners\.proxy\.tls\[1\]\.key: expected the key of/)],
    });
    expect((await check(list([one, two]))).said).toEqual([
      expect.stringMatching(
        /^c\.yaml:9:11 listeners\.proxy\.tls\[1\]\.cert: the certificate was valid until/,
      ),
    ]);
  });

  test("one that nobody is shown is told", async () => {
    const all = authority.issue("all", ["*.example", "a.example"]);
    const one = authority.issue("one", ["a.example"]);
    const said = [
      "c.yaml:9:11 listeners.proxy.tls[1].cert: nobody is shown this certificate: those before it are of all its names",
    ];
    expect(await check(list([all, one]))).toEqual({ ok: true, said });
    expect(await check(list([one, all]))).toEqual({ ok: true, said: [] });
  });

  test("hosts of the file that none is of are told at their lines", async () => {
    const pairs = [authority.issue("c", ["*.shop.my"]), authority.issue("d", ["shop.my"])];
    const more = [
      "cutovers:",
      "  shop:",
      "    legacy: old",
      "    new: next",
      "    shopper: [visitor]",
      "    hosts: [shop.my, '*.shop.my', a.shop.my, b.a.shop.my, '*.shop.id', '[::1]', 127.0.0.1]",
      "    routes: [{ name: a, path: /a, hosts: [shop.my, B.a.shop.my] }, { name: b, path: /b }]",
      "routes: [{ path: /c, upstream: next, hosts: [shop.id] }]",
      "hosts: { shop.sg: { default: next }, Shop.MY: { default: next } }",
      "",
    ].join("\n");
    const { ok, said } = await check(list(pairs, more).replace("default: old", "default: next"));
    expect(ok).toBe(true);
    const message = "no certificate of listeners.proxy.tls is of this host";
    expect(said.filter((text) => text.endsWith(message)).map((text) => text.split(": ")[0])).toEqual([
      "c.yaml:15:46 cutovers.shop.hosts[3]",
      "c.yaml:15:59 cutovers.shop.hosts[4]",
      "c.yaml:16:52 cutovers.shop.routes[0].hosts[1]",
      "c.yaml:17:46 routes[0].hosts[0]",
      'c.yaml:18:10 hosts["shop.sg"]',
    ]);
  });

  test("without TLS here, whoever ends it in front knows", async () => {
    expect(await check(`${least}hosts: { shop.sg: { default: next } }\n`)).toEqual({ ok: true, said: [] });
  });
});

describe("upstreams.NAME.tls", () => {
  const upstream = (url: string, tls: string) => {
    return `upstreams:\n  shop: { url: "${url}", tls: ${tls} }\ndefault: shop\n`;
  };

  test("an https upstream needs none, and verifies", async () => {
    expect(await check(`upstreams: { shop: { url: "https://shop.internal" } }\ndefault: shop\n`)).toEqual({
      ok: true,
      said: [],
    });
    expect(configOf(upstream("https://h", "{}")).upstreams.shop?.tls).toEqual({ verify: true });
  });

  test("one with plain http is told at its key", async () => {
    expect(await check(upstream("http://h", "{}"))).toEqual({
      ok: false,
      said: ["c.yaml:2:28 upstreams.shop.tls: expected only where url is https://"],
    });
  });

  test("cert and key come together, and are looked at with ca", async () => {
    const { cert } = authority.issue("client");
    expect((await check(upstream("https://h", `{ cert: ${cert} }`))).said).toEqual([
      "c.yaml:2:29 upstreams.shop.tls: expected cert and key together",
    ]);
    const { said } = await check(
      upstream("https://h", `{ ca: /nowhere/ca.crt, cert: ${cert}, key: ${cert} }`),
    );
    expect(said).toEqual([
      expect.stringContaining("upstreams.shop.tls.ca: expected a file that can be read: ENOENT"),
      expect.stringContaining("upstreams.shop.tls.key: expected a private key in PEM"),
    ]);
  });

  test("verify: false is a warning", async () => {
    expect(await check(upstream("https://h", "{ verify: false }"))).toEqual({
      ok: true,
      said: ["c.yaml:2:36 upstreams.shop.tls.verify: whoever answers there is believed"],
    });
  });

  test.each(["a b", "", "127.0.0.1:1", "*.shop"])("servername %j is refused", (name) => {
    expect(problemsOf(upstream("https://h", `{ servername: "${name}" }`))).toHaveLength(1);
  });
});
