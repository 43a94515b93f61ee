/** docs/failures.md and the catalogue of codes say the same, both ways. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countsAsError, outcomes } from "../../../src/proxy/outcome.ts";
import { type Refusal, refusalOf, refusals } from "../../../src/proxy/refusal.ts";
import { failureCode, failureCodes } from "../../../src/proxy/upstream/failure.ts";
import type { Failure } from "../../../src/proxy/upstream/port.ts";
import { accessLog } from "../../../src/telemetry/log.ts";
import { recordOf } from "../../support/exchange-record.ts";

const text = readFileSync(new URL("../../../docs/failures.md", import.meta.url), "utf8");
const [, ofTheProxy = "", ofASide = "", noAnswer = ""] = text.split(/^## /m);

/** The rows of a table whose first cell is a code and whose second a status. */
function rows(section: string): readonly string[][] {
  return [...section.matchAll(/^\| (`[a-z_]+` \| \d{3} \|.*)\|$/gm)].map(([, row = ""]) =>
    row.split(" | ").map((cell) => cell.replaceAll("`", "").trim()),
  );
}

const sort = (lines: readonly string[]) => [...lines].sort();
const catalogue: readonly Refusal[] = Object.values(refusals);

test("every refusal of the proxy's own is on the page with its status, and no other is", () => {
  const own = catalogue.filter(({ outcome }) => outcome === "rejected");
  const listed = rows(ofTheProxy).map(([code, status]) => `${code} ${status}`);
  expect(sort(listed)).toEqual(sort(own.map(({ code, status }) => `${code} ${status}`)));
});

test("every failure of a side is on the page with its status and its outcome, and no other is", () => {
  const failures = Object.entries(failureCodes);
  const known = failures.flatMap(([outcome, codes]) =>
    codes.map((code) => {
      const answer =
        catalogue.find((one) => one.code === code) ?? catalogue.find((one) => one.code === outcome);
      return `${code} ${answer?.status} ${outcome}`;
    }),
  );
  const listed = rows(ofASide).map(([code, status, outcome]) => `${code} ${status} ${outcome}`);
  expect(sort(listed)).toEqual(sort(known));
});

test("what counts against a side without an answer of the proxy's is on the page by its outcome", () => {
  const others = outcomes.filter((one) => countsAsError(one) && one !== "server_error");
  const listed = [...noAnswer.matchAll(/^\| `([a-z_]+)` \| `([a-z_]+)` \|/gm)].map(([, code, outcome]) => {
    expect(code).toBe(outcome);
    return outcome;
  });
  const known: readonly string[] = Object.keys(failureCodes);
  expect(sort(listed.map(String))).toEqual(sort(others.filter((one) => !known.includes(one))));
});

test("every row says what it means and what to do", () => {
  for (const row of [...rows(ofTheProxy), ...rows(ofASide)]) {
    const said = row.slice(-2);
    expect(
      said.every((cell) => cell.length > 3),
      row.join(" | "),
    ).toBe(true);
  }
});

test("no two refusals share a code, and a code is one word in lower case", () => {
  const codes = catalogue.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of [...codes, ...Object.values(failureCodes).flat()])
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});

test("the fields of the line are those of the access log", () => {
  const lines: string[] = [];
  const { settled } = accessLog({ destination: { writeSoon: (line) => lines.push(line) }, enabled: true });
  settled?.(recordOf({ code: "connect_timeout" }), "connect_failed");
  const fields = Object.keys(JSON.parse(lines.join("")));
  const example = text.match(/^\{"level":"info".*\}$/m)?.[0] ?? "";
  expect(Object.keys(JSON.parse(example))).toEqual(fields);
  const table = [...text.matchAll(/^\| ((?:`[a-z_]+` ?)+)\|/gm)].flatMap(([, cell = ""]) =>
    cell.match(/[a-z_]+/g),
  );
  expect(table.slice(0, fields.length - 3)).toEqual(fields.slice(3));
});

test.each<[Failure["outcome"], string, string]>([
  ["connect_failed", "ECONNREFUSED", "connect_failed"],
  ["connect_failed", "ERR_CONNECT_TIMEOUT", "connect_timeout"],
  ["connect_failed", "ETIMEDOUT", "connect_timeout"],
  ["connect_failed", "ENOTFOUND", "name_not_found"],
  ["connect_failed", "EAI_AGAIN", "name_not_found"],
  ["connect_failed", "CERT_HAS_EXPIRED", "tls_failed"],
  ["connect_failed", "ERR_TLS_CERT_ALTNAME_INVALID", "tls_failed"],
  ["connect_failed", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls_failed"],
  ["connect_failed", "DEPTH_ZERO_SELF_SIGNED_CERT", "tls_failed"],
  ["connect_failed", "ERR_SSL_WRONG_VERSION_NUMBER", "tls_failed"],
  ["connect_failed", "ERR_UPSTREAM_CLOSED", "upstream_closed"],
  ["connect_failed", "ERR_BREAKER_OPEN", "breaker_open"],
  ["shed", "ERR_UPSTREAM_OVERLOADED", "overloaded"],
  ["timeout", "ERR_HEADERS_TIMEOUT", "timeout"],
  ["timeout", "ERR_IDLE_TIMEOUT", "idle_timeout"],
  ["reset", "ECONNRESET", "reset"],
  ["reset", "UND_ERR_SOCKET", "reset"],
  // The same word of Node's, once connected, is no failure to connect.
  ["reset", "ETIMEDOUT", "reset"],
  ["protocol_error", "HPE_INVALID_CONSTANT", "protocol_error"],
  ["protocol_error", "HPE_HEADER_OVERFLOW", "answer_head_too_large"],
  ["protocol_error", "UND_ERR_HEADERS_OVERFLOW", "answer_head_too_large"],
  ["protocol_error", "ERR_INVALID_CHAR", "unsendable_request"],
  ["protocol_error", "ERR_UNASKED_UPGRADE", "unasked_upgrade"],
  ["protocol_error", "ERR_STATUS_CODE", "protocol_error"],
  ["protocol_error", "ERR_HTTP_VERSION", "unknown_http_version"],
  ["protocol_error", "ERR_TRANSFER_CODING", "unknown_transfer_coding"],
])("%s by %s is called %s, whatever the engine", (outcome, engines, code) => {
  expect(failureCode({ outcome, code: engines })).toBe(code);
  expect(refusalOf({ outcome, code: engines, sent: false })).toMatchObject({ outcome, code });
});
