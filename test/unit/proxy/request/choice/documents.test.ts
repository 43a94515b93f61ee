/** Documents that a process has read: by their text, and by its hash. */
import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { createDocuments } from "../../../../../src/proxy/request/choice/documents.ts";

const text = "mutation Pay { pay }";

test("a document is parsed once, and read again by its text or its hash alone", async () => {
  let parsed = 0;
  const document = { operations: [] };
  const documents = createDocuments(new Map(), async () => () => {
    parsed += 1;
    return document;
  });
  expect(documents.read(text)).toBeUndefined();
  expect(documents.known(hash("sha256", text))).toBeUndefined();
  await documents.loaded;
  for (let i = 0; i < 3; i++) expect(documents.read(text)).toBe(document);
  expect(documents.known(hash("sha256", text))).toBe(document);
  expect(parsed).toBe(1);
});

test("a text that comes again makes its hash known again, whatever else was read since", async () => {
  const documents = createDocuments(new Map());
  await documents.loaded;
  const read = documents.read(text);
  expect(read?.operations).toHaveLength(1);
  // What cannot be read is remembered by its hash too.
  for (let i = 0; i < 1100; i++) expect(documents.read(`{ ${i}`)).toBeUndefined();
  expect(documents.known(hash("sha256", text))).toBeUndefined();
  expect(documents.read(text)).toBe(read);
  expect(documents.known(hash("sha256", text))).toBe(read);
});

test("of many documents no more are kept than the bound", async () => {
  const documents = createDocuments(new Map());
  await documents.loaded;
  for (let i = 0; i < 3000; i++) documents.read(`{ field${i} }`);
  expect(documents.known(hash("sha256", "{ field0 }"))).toBeUndefined();
  expect(documents.known(hash("sha256", "{ field2999 }"))?.operations[0]?.fields[0]?.name).toBe("field2999");
});

test("one with more fields than are worth keeping is read each time", async () => {
  const documents = createDocuments(new Map());
  await documents.loaded;
  const large = `{ ${Array.from({ length: 100 }, (_, i) => `f${i}`).join(" ")} }`;
  expect(documents.read(large)?.operations[0]?.fields).toHaveLength(100);
  expect(documents.known(hash("sha256", large))).toBeUndefined();
});
