import fc from "fast-check";
import { expect, test } from "vitest";
import { rewrite } from "../../../../../src/config/rewrite-schema.ts";
import { parseTemplate } from "../../../../../src/config/values/template.ts";
import { changeFields, compileChanges } from "../../../../../src/proxy/relay/rewrite/fields.ts";
import { parseTarget } from "../../../../../src/proxy/request/target.ts";

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.array(byte, { maxLength: 20 }).map((all) => all.join(""));

test("property: whatever a shopper or a path is called, a rule makes one field of it, and no other", () => {
  const changes = compileChanges(
    rewrite.parse({
      request: { set: { "X-Who": "a {shopper}", "X-Part": "{param:id}" }, remove: ["X-Gone"] },
    }).request,
  );
  if (changes === undefined) throw new Error("nothing is changed");
  fc.assert(
    fc.property(bytes, bytes, (shopper, id) => {
      const target = parseTarget("GET", `/${id}`, 8192);
      // Only what a target may hold is ever a parameter.
      const param = "path" in target && !id.includes("/") ? id : undefined;
      const params = { names: ["id"], values: param === undefined ? [] : [param] };
      const fields = ["X-Gone", "1", "x_who", "root", "A", "b"];
      changeFields(fields, changes, { shopper, requestId: "r", side: undefined, params });
      const given = [...(shopper === "" ? [] : ["X-Who"]), ...(param ? ["X-Part"] : [])];
      expect(fields.filter((_, i) => i % 2 === 0)).toEqual(["A", ...given]);
      for (const text of fields) expect(text).toMatch(/^[!-~](?:[ -~]*[!-~])?$/);
    }),
    { numRuns: 1000 },
  );
});

test("property: a value that is accepted is one line, whatever stands in the file", () => {
  const text = fc.oneof(
    bytes,
    fc.string(),
    fc.constantFrom("{shopper}\r\nX: 1", "a\nb", " a", "a\t", "\u2028"),
  );
  fc.assert(
    fc.property(text, (written) => {
      const parsed = parseTemplate(written);
      if (typeof parsed === "string") return;
      const plain = parsed.parts.map((part) => (part.kind === "text" ? part.text : "x")).join("");
      expect(plain).toMatch(/^[!-~](?:[\t -~]*[!-~])?$/);
    }),
    { numRuns: 1000 },
  );
});

test("fields keep their order, those that are added behind them", () => {
  const { request } = rewrite.parse({ request: { add: { B: "2" }, remove: ["X"] } });
  const changes = compileChanges(request);
  const values = { shopper: undefined, requestId: "r", side: "new", params: undefined };
  const fields = ["C", "1", "X", "1", "b", "1", "x", "2"];
  if (changes !== undefined) changeFields(fields, changes, values);
  expect(fields).toEqual(["C", "1", "b", "1", "B", "2"]);
  expect(compileChanges(rewrite.parse({}).request)).toBeUndefined();
});
