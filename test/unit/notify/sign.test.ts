/** What is signed is verified by the very code that the docs give to receivers. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signedFields } from "../../../src/notify/sign.ts";

type Verify = (
  secret: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  seen: Set<string>,
  now: number,
) => boolean;

let folder: string;
let verify: Verify;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-verify-"));
  const page = await readFile(new URL("../../../docs/notifications.md", import.meta.url), "utf8");
  const [, code = ""] = /```js\n(.*?)```/s.exec(page) ?? [];
  const file = join(folder, "verify.mjs");
  await writeFile(file, code);
  const module: unknown = await import(pathToFileURL(file).href);
  verify = (module as { verify: Verify }).verify;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const now = 1_772_366_400_123;
const secrets = ["a", "b"].map((text) => `whsec_${Buffer.from(text.repeat(32)).toString("base64")}`);
const [first = "", second = ""] = secrets;
const body = '{"type":"cutover.hold","reason":"é"}';

test("a receiver with any of the secrets takes a message, once", () => {
  const fields = signedFields(secrets, "m1", now, body);
  expect(fields).toMatchObject({ "webhook-id": "m1", "webhook-timestamp": "1772366400" });
  for (const secret of secrets) {
    const seen = new Set<string>();
    expect(verify(secret, fields, body, seen, now)).toBe(true);
    expect(verify(secret, fields, body, seen, now)).toBe(false);
  }
});

test("it refuses another body, another id, another time, another secret, and what was kept for long", () => {
  const fields = signedFields([first], "m1", now, body);
  const taken = (headers: object, text = body, secret = first, at = now) =>
    verify(secret, { ...fields, ...headers }, text, new Set(), at);
  expect(taken({})).toBe(true);
  expect(() => taken({}, `${body} `)).toThrow("not signed by us");
  expect(() => taken({ "webhook-id": "m2" })).toThrow("not signed by us");
  expect(() => taken({ "webhook-timestamp": "1772366401" })).toThrow("not signed by us");
  expect(() => taken({}, body, second)).toThrow("not signed by us");
  expect(() => taken({}, body, first, now + 301_000)).toThrow("too old");
  expect(() => taken({ "webhook-timestamp": "soon" })).toThrow("too old");
});

test("without a secret nothing is signed", () => {
  expect(Object.keys(signedFields([], "m1", now, body))).toEqual(["webhook-id", "webhook-timestamp"]);
});
