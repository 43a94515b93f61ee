/** The page's own script against a real admin server: in a document that knows as much as it asks for, with a browser's cookies. */
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrowserJar, createBrowserJar } from "../../../src/demo/storefronts/browser-jar.ts";
import { type Rig, secretOf, startRig, tokens, until } from "./rig.ts";

const script = readFileSync(new URL("../../../src/admin/page/status.js", import.meta.url), "utf8");

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ auth: tokens });
});
afterAll(() => rig.close());

interface Browser {
  readonly jar: BrowserJar;
  readonly storage: Map<string, string>;
}

interface Element {
  textContent: string;
  innerHTML: string;
  hidden: boolean;
  value: string;
  readonly childNodes: readonly string[];
  readonly dataset: Record<string, string>;
  readonly listeners: Map<string, (event: object) => void>;
}

/** The elements with an id, and no tree of them. */
function documentOf(html: string) {
  const elements = new Map<string, Element>();
  for (const [, tag = "", attributes = "", id = ""] of html.matchAll(/<(\w+)([^>]*\bid="([^"]+)"[^>]*)>/g)) {
    const from = html.indexOf(`id="${id}"`);
    const innerHTML = html.slice(html.indexOf(">", from) + 1, html.indexOf(`</${tag}>`, from));
    const data = [...attributes.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [
      key,
      value,
    ]);
    const listeners = new Map<string, (event: object) => void>();
    const element = {
      textContent: innerHTML.replace(/<[^>]*>/g, ""),
      innerHTML,
      hidden: /\bhidden\b/.test(attributes),
      value: "",
      childNodes: [innerHTML],
      dataset: Object.fromEntries(data),
      listeners,
      addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
      replaceChildren(...nodes: string[]) {
        this.innerHTML = nodes.join("");
      },
    };
    elements.set(id, element);
  }
  const body = { classList: { toggle: () => {} } };
  return { elements, document: { body, getElementById: (id: string) => elements.get(id) ?? null } };
}

/** A tab that opens a path; it stays there, and says where its script would have it go. */
async function open({ jar, storage }: Browser, path: string) {
  const [pathname = "", search] = path.split("?");
  const { elements, document } = documentOf((await jar.visit(rig.url + path)).text);
  const asked: { readonly path: string; readonly headers: Headers; readonly method: string }[] = [];
  const listeners = new Map<string, () => void>();
  const went: string[] = [];
  let next = async () => {};
  const globals = {
    document,
    location: {
      pathname,
      search: search === undefined ? "" : `?${search}`,
      hash: "",
      replace: (to: string) => went.push(to),
    },
    localStorage: {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => storage.set(key, value),
      removeItem: (key: string) => storage.delete(key),
    },
    DOMParser: class {
      parseFromString = (text: string) => documentOf(text).document;
    },
    async fetch(to: string, init: RequestInit = {}) {
      const headers = new Headers(init.headers);
      asked.push({ path: to, headers, method: init.method ?? "GET" });
      const { method } = init;
      const { status, text } = await jar.request(new URL(to, rig.url + pathname).href, { method, headers });
      return { ok: status < 300, status, text: async () => text, json: async () => JSON.parse(text) };
    },
    AbortSignal,
    Headers,
    setInterval: () => 0,
    setTimeout: (run: () => Promise<void>) => {
      next = run;
    },
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
  };
  runInContext(script, createContext(globals));
  const element = (id: string): Element => {
    const found = elements.get(id);
    if (found === undefined) throw new Error(`no #${id}`);
    return found;
  };
  await until(() => asked.length > 0);
  return {
    element,
    asked,
    went,
    touch: () => listeners.get("keydown")?.(),
    /** Has it ask once more, as each second. */
    poll: async () => next(),
  };
}

test("a tab signs in, is remembered by the root, keeps no session alive by itself, and signs out", async () => {
  const browser: Browser = { jar: createBrowserJar(), storage: new Map() };
  const first = await open(browser, "/");
  await until(() => !first.element("sign-in").hidden);
  first.element("token").value = ` ${secretOf("viewer")} `;
  first.element("sign-in").listeners.get("submit")?.({ preventDefault: () => {} });
  await until(() => first.went.length > 0);
  const [path = ""] = first.went;
  expect(path).toMatch(/^\/s\/[\w-]{22}\/$/);

  const tab = await open(browser, path);
  await until(() => tab.element("who").textContent === "ops-viewer");
  expect(tab.element("sign-in").hidden).toBe(true);
  await tab.poll();
  tab.touch();
  await tab.poll();
  await tab.poll();
  expect(tab.asked.map((one) => one.path)).toEqual([path, path, path, path]);
  expect(tab.asked.map(({ headers }) => headers.get("x-cutover-touched"))).toEqual([null, null, "yes", null]);

  const again = await open(browser, "/");
  await until(() => again.went.length > 0);
  expect(again.went).toEqual([path]);
  expect((await open(browser, "/?sign-in=denied")).went).toEqual([]);

  tab.element("sign-out").listeners.get("click")?.({});
  await until(() => tab.went.length > 0);
  expect(tab.went).toEqual(["/"]);
  expect([...browser.storage, ...browser.jar.all()]).toEqual([]);
  expect(rig.lines.filter(({ level }) => level !== "info")).toEqual([]);
});

test("a tab whose session has ended asks for a token, and the root is no longer sent there", async () => {
  const ended = "/s/AAAAAAAAAAAAAAAAAAAAAA/";
  const browser: Browser = { jar: createBrowserJar(), storage: new Map([["cutover-path", ended]]) };
  const tab = await open(browser, ended);
  await until(() => !tab.element("sign-in").hidden);
  await until(() => browser.storage.size === 0);
  tab.element("token").value = "wrong";
  tab.element("sign-in").listeners.get("submit")?.({ preventDefault: () => {} });
  await until(() =>
    tab.element("sign-in-note").textContent.startsWith("Not signed in: the token is not known"),
  );
  expect(tab.went).toEqual([]);
});
