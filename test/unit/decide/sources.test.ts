import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exceptFrom, parseSource } from "../../../src/config/values/source.ts";
import { readJson } from "../../../src/decide/body.ts";
import { type RequestView, readFirst, readKey, readSource } from "../../../src/decide/sources.ts";

function source(text: string) {
  const parsed = parseSource(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function request(parts: Partial<RequestView> & { fields?: readonly string[]; body?: string | Buffer } = {}) {
  const fields = parts.fields ?? [];
  const view: RequestView = {
    fields,
    fieldNames: fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()),
    query: parts.query ?? "",
    paramNames: parts.paramNames ?? [],
    paramValues: parts.paramValues ?? [],
    json: parts.body === undefined ? undefined : readJson(Buffer.from(parts.body)),
  };
  return (text: string) => readSource(source(text), view);
}

describe("header", () => {
  test("takes the first of repeated fields, name in any case", () => {
    const read = request({ fields: ["X-Shopper-ID", "one", "x-shopper-id", "two"] });
    expect(read("header:x-shopper-id")).toBe("one");
  });

  test("takes empty for absent", () => {
    expect(
      request({ fields: ["x-shopper-id", "", "x-shopper-id", "two"] })("header:x-shopper-id"),
    ).toBeUndefined();
  });

  test("keeps the bytes as received", () => {
    expect(request({ fields: ["x-id", "a%20b\xe9"] })("header:x-id")).toBe("a%20b\xe9");
  });
});

describe("cookie", () => {
  test("takes the first of that name over all fields, surrounding quotes dropped", () => {
    const read = request({ fields: ["Cookie", "a=1; sid2=no", "cookie", 'x=y;sid="q u"; sid=later'] });
    expect(read("cookie:sid")).toBe("q u");
  });

  test("is not fooled by a name that ends alike, and names are case-sensitive", () => {
    const read = request({ fields: ["Cookie", "xsid=1; SID=2; sid"] });
    expect(read("cookie:sid")).toBeUndefined();
  });

  test("keeps one lone quote and percent signs", () => {
    expect(request({ fields: ["Cookie", 'sid="'] })("cookie:sid")).toBe('"');
    expect(request({ fields: ["Cookie", "sid=%41"] })("cookie:sid")).toBe("%41");
  });
});

describe("query and param", () => {
  test("reads a query value undecoded, the first of that name", () => {
    const read = request({ query: "user=x&u=%41%20+&u=2&v" });
    expect(read("query:u")).toBe("%41%20+");
    expect(read("query:v")).toBeUndefined();
    expect(read("query:us")).toBeUndefined();
  });

  test("reads a path parameter by name", () => {
    const read = request({ paramNames: ["a", "orderId"], paramValues: ["1", "SS-9"] });
    expect(read("param:orderId")).toBe("SS-9");
    expect(read("param:other")).toBeUndefined();
  });
});

describe("json", () => {
  test("follows a pointer through objects and arrays (RFC 6901), escapes included", () => {
    const read = request({ body: '{"a":[{"b/c":{"~":"x"}}]}' });
    expect(read("json:/a/0/b~1c/~0")).toBe("x");
    expect(read("json:/a/1")).toBeUndefined();
    expect(read("json:/a/00")).toBeUndefined();
  });

  test("gives a number as its text, no digit lost", () => {
    const read = request({ body: '{"id": 12345678901234567890, "p": 1.50, "e": 1E2}' });
    expect(read("json:/id")).toBe("12345678901234567890");
    expect(read("json:/p")).toBe("1.50");
    expect(read("json:/e")).toBe("1E2");
  });

  test("counts the last of duplicate members", () => {
    expect(request({ body: '{"id":"a","id":"b"}' })("json:/id")).toBe("b");
  });

  test("gives text as its UTF-8 bytes, escapes resolved", () => {
    expect(request({ body: '{"id":"\\u00e9"}' })("json:/id")).toBe("\xc3\xa9");
  });

  test("finds nothing in what is no string or number", () => {
    const read = request({ body: '{"a":true,"b":null,"c":{},"d":[]}' });
    for (const name of ["a", "b", "c", "d"]) expect(read(`json:/${name}`)).toBeUndefined();
  });

  test.each([
    ["not JSON", "{"],
    ["a comment", '{"id":1}//'],
    ["a trailing comma", '{"id":1,}'],
    ["two byte order marks", '\ufeff\ufeff{"id":1}'],
    ["not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])("takes %s for no JSON", (_, body) => {
    expect(readJson(Buffer.from(body))).toBeUndefined();
  });
});

/** What parsing alone finds there. */
function reference(root: unknown, tokens: readonly string[]): unknown {
  return tokens.reduce<unknown>((found, token) => {
    if (Array.isArray(found)) return token === "" ? undefined : found[Number(token)];
    return typeof found === "object" && found !== null
      ? new Map(Object.entries(found)).get(token)
      : undefined;
  }, root);
}

test("json reads of any document what stands at each of its pointers, a number as it was written", () => {
  const name = fc.constantFrom("a", "b/c", "~", "", "0", '"', "\\", "\\u0061", "]", "é", "__proto__");
  const leaf = fc.oneof(
    fc.integer().map((n) => ({ text: `${n}` })),
    fc.constantFrom("1.50", "1E2", "-0", "12345678901234567890", "true", "null").map((text) => ({ text })),
    fc.string().map((s) => ({ text: JSON.stringify(s) })),
  );
  const space = fc.constantFrom("", " ", "\n\t");
  const { document } = fc.letrec<{ document: { text: string } }>((tie) => ({
    document: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.tuple(fc.array(tie("document"), { maxLength: 3 }), space).map(([items, gap]) => ({
        text: `[${gap}${items.map(({ text }) => `${text}${gap}`).join(`,${gap}`)}]`,
      })),
      fc.tuple(fc.array(fc.tuple(name, tie("document")), { maxLength: 3 }), space).map(([members, gap]) => ({
        text: `{${gap}${members.map(([key, { text }]) => `${JSON.stringify(key)}${gap}:${gap}${text}${gap}`).join(`,${gap}`)}}`,
      })),
    ),
  }));
  const tokens = fc.array(fc.oneof(name, fc.constantFrom("0", "1", "2")), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(document, tokens, ({ text }, way) => {
      const pointer = way.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
      const found = reference(JSON.parse(text), way);
      const read = request({ body: text })(`json:${pointer}`);
      if (typeof found === "string")
        return read === (found === "" ? undefined : Buffer.from(found).toString("latin1"));
      if (typeof found !== "number") return read === undefined;
      return read !== undefined && text.includes(read) && Object.is(JSON.parse(read), found);
    }),
    { numRuns: 500 },
  );
});

test("json reads what is nested however deep", () => {
  const deep = `${"[".repeat(30_000)}1${"]".repeat(30_000)}`;
  expect(request({ body: `{"d":${deep},"id":77}` })("json:/id")).toBe("77");
});

// An answer of 1 MiB took 0.4 s and more, in which nobody else was served.
test("json finds a number behind 1 MiB of other members in the time that parsing takes", () => {
  const line = { name: "x".repeat(40), price: { value: 1.5, taxes: [1, 2, 3] }, note: 'a "quoted" one' };
  const body = JSON.stringify({ lines: Array.from({ length: 9100 }, () => line), id: 77 });
  expect(body.length).toBeGreaterThan(2 ** 20);
  const read = request({ body });
  const started = process.cpuUsage();
  for (let i = 0; i < 10; i++) expect(read("json:/id")).toBe("77");
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 10_000).toBeLessThan(100);
});

describe("body", () => {
  const read = (text: string, of: string) => {
    const view = { fields: [], fieldNames: [], query: "", paramNames: [], paramValues: [], text };
    return readSource(source(of), view);
  };

  test("finds a value in whatever there is, XML for one", () => {
    const xml = "<?xml version='1.0'?><Order><Id>SS-12</Id><Id>SS-13</Id></Order>";
    expect(read(xml, "body:#<Id>([^<]+)</Id>")).toBe("SS-12");
    expect(read(xml, "body:#<OrderId>([^<]+)<")).toBeUndefined();
    expect(read("", "body:#(.)")).toBeUndefined();
    expect(request()("body:#(.)")).toBeUndefined();
  });

  test("is searched for a bounded time: a search that takes longer has found nothing, and is told of", () => {
    const unfinished: string[] = [];
    const search = (text: string, of: string) => {
      const onUnfinished = ({ text }: { text: string }) => void unfinished.push(text);
      const view = { fields: [], fieldNames: [], query: "", paramNames: [], paramValues: [], text };
      return readSource(source(of), { ...view, onUnfinished });
    };
    const padded = (bytes: number) => `${" ".repeat(bytes - 2)}=1`;
    expect(search(padded(65_536), "body:#=([0-9]{1,120})")).toBe("1");
    expect(search(padded(1_048_576), "body:#=([0-9]{1,120})")).toBe("1");
    expect(search(padded(65_536), "body:#[=?]([0-9])")).toBe("1");
    expect(unfinished).toEqual([]);
    expect(search(padded(65_536), "body:#.{100}=([0-9])")).toBeUndefined();
    expect(unfinished).toEqual(["body:#.{100}=([0-9])"]);
  });
});

describe("values that count as none", () => {
  const read = (text: string, ...except: string[]) => {
    const [of, next] = [exceptFrom(source(text), except), source("query:sid")];
    const view = (value: string): RequestView => {
      const fields = ["X-Shopper-Id", value];
      return { fields, fieldNames: ["x-shopper-id"], query: "sid=s1", paramNames: [], paramValues: [] };
    };
    return (value: string) => readFirst([of, next], view(value));
  };

  test("leave the shopper to the next source, by their bytes and whole", () => {
    const shopper = read("header:x-shopper-id", "undefined", "null", "é");
    expect(["undefined", "null", "\xc3\xa9"].map(shopper)).toEqual(["s1", "s1", "s1"]);
    const names = ["Undefined", "null ", "undefined1", "\xe9"];
    expect(names.map(shopper)).toEqual(names);
  });

  test("are what the expression has found", () => {
    const shopper = read("header:x-shopper-id#^user-(.+)$", "null");
    expect(["user-null", "user-a", "null"].map(shopper)).toEqual(["s1", "a", "s1"]);
  });
});

describe("an expression and several sources", () => {
  test("looks at no more than 512 bytes: cut, a value would be another one", () => {
    const read = (length: number) =>
      request({ fields: ["x-id", `${"a".repeat(length - 1)}1`] })("header:x-id#([a-z]+)");
    expect(read(512)).toHaveLength(511);
    expect(read(513)).toBeUndefined();
  });

  test("takes the expression's first group, and nothing where it does not match", () => {
    const read = request({ fields: ["authorization", "Bearer abc.def"] });
    expect(read("header:authorization#^Bearer ([^.]+)")).toBe("abc");
    expect(read("header:authorization#^Basic (.+)")).toBeUndefined();
  });

  test("takes the first source that is present", () => {
    const view: RequestView = {
      fields: ["Cookie", "sid=c"],
      fieldNames: ["cookie"],
      query: "",
      paramNames: [],
      paramValues: [],
      json: undefined,
    };
    expect(readFirst([source("header:x-shopper-id"), source("cookie:sid")], view)).toBe("c");
  });
});

describe("keys of owners", () => {
  const view = (parts: Partial<RequestView>): RequestView => ({
    fields: ["X-Order", "a%20b"],
    fieldNames: ["x-order"],
    query: "",
    paramNames: [],
    paramValues: [],
    json: undefined,
    ...parts,
  });
  const param = (value: string) =>
    readKey(source("param:id"), view({ paramNames: ["id"], paramValues: [value] }));
  const query = (text: string) => readKey(source("query:order_id"), view({ query: text }));

  test("are one key in every spelling of a path's segment", () => {
    for (const spelling of [
      "2026:1001",
      "2026%3A1001",
      "%32026%3a1001",
      "2026:1001;v=2",
      "2026%3A1001;a;b",
    ]) {
      expect(param(spelling)).toBe("2026:1001");
    }
    expect(param("caf%C3%A9")).toBe("caf\xc3\xa9");
    expect(param("100%")).toBe("100%");
    expect(param("%zz%4")).toBe("%zz%4");
    expect(param(";v=1")).toBeUndefined();
  });

  test("are one key in every spelling of a query", () => {
    for (const spelling of [
      "order_id=A+1%2F2",
      "x=1&order%5Fid=A%201/2&order_id=no",
      "a&order_id=%41%201%2f2",
    ]) {
      expect(query(spelling)).toBe("A 1/2");
    }
    expect(query("order_idx=1&order_id")).toBeUndefined();
    expect(query("order_id=a=b")).toBe("a=b");
  });

  test("are decoded before an expression looks at them", () => {
    const request = view({ query: "ref=shop%3A77" });
    expect(readKey(source("query:ref#^shop:(.+)$"), request)).toBe("77");
  });

  test("keep their bytes in a header, and shoppers do everywhere", () => {
    expect(readKey(source("header:x-order"), view({}))).toBe("a%20b");
    expect(readSource(source("query:id"), view({ query: "id=a%20b" }))).toBe("a%20b");
  });
});
