import { expect, test } from "vitest";
import { faultOfHead, soundReason } from "../../../../src/proxy/upstream/failure.ts";

test.each([
  ["a change of protocol that nobody asked for", 101, [], "ERR_UNASKED_UPGRADE"],
  ["a status that is none", 99, [], "ERR_STATUS_CODE"],
  [
    "a coding that this hop cannot remove",
    200,
    ["Transfer-Encoding", "gzip, chunked"],
    "ERR_TRANSFER_CODING",
  ],
  ["chunked spelled in another way", 200, ["TRANSFER-ENCODING", " Chunked "], undefined],
  ["a head of every day", 200, ["Content-Length", "2", "X-Transfer-Encoding", "gzip"], undefined],
] as const)("what is wrong with a response's head: %s", (_, status, fields, code) => {
  expect(faultOfHead(status, fields)).toBe(code);
});

test("a reason phrase that could not be written again is left out", () => {
  expect(soundReason("Très bien\t!")).toBe("Très bien\t!");
  expect(soundReason("OK\u0000")).toBe("");
});
