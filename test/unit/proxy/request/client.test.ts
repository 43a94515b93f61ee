import { expect, test } from "vitest";
import { createTrust } from "../../../../src/proxy/inbound.ts";
import { clientOf } from "../../../../src/proxy/request/client.ts";
import { createFieldNames } from "../../../../src/proxy/request/field-names.ts";

const names = createFieldNames();
const trusts = createTrust(["10.0.0.0/8"]);
const from = (address: string, ...fields: string[]) =>
  clientOf(trusts, { fields, peer: { address, encrypted: false } }, names.of(fields));

test.each([
  ["whoever connects, whatever it says", "192.0.2.1", ["X-Forwarded-For", "1.1.1.1"], "192.0.2.1"],
  ["the last that a trusted proxy tells of", "10.0.0.1", ["X-Forwarded-For", "1.1.1.1, 2.2.2.2"], "2.2.2.2"],
  ["the last that is not trusted itself", "10.0.0.1", ["X-Forwarded-For", "1.1.1.1,10.0.0.2"], "1.1.1.1"],
  ["in several fields", "10.0.0.1", ["x-forwarded-for", "1.1.1.1", "X-Forwarded-For", "10.0.0.2"], "1.1.1.1"],
  ["without its port", "10.0.0.1", ["X-Forwarded-For", "1.1.1.1:80"], "1.1.1.1"],
  ["of IPv6, bare or with a port", "10.0.0.1", ["X-Forwarded-For", "2001:db8::1"], "2001:db8::1"],
  ["of IPv6 with a port", "10.0.0.1", ["X-Forwarded-For", "[2001:db8::1]:80"], "2001:db8::1"],
  ["of Forwarded", "10.0.0.1", ["Forwarded", 'proto=http;For="[2001:db8::1]:80";by=10.0.0.1'], "2001:db8::1"],
  ["of Forwarded, by a made up name", "10.0.0.1", ["Forwarded", "for=1.1.1.1, for=_hidden"], "_hidden"],
  ["nobody, where all are trusted", "10.0.0.1", ["X-Forwarded-For", "10.0.0.3"], undefined],
  ["nobody, where a trusted proxy tells of nobody", "10.0.0.1", ["X-Forwarded-For", " , "], undefined],
  ["nobody, where it has no such field", "10.0.0.1", ["Host", "shop"], undefined],
  [
    "who is told of as unknown, and nobody beyond",
    "10.0.0.1",
    ["X-Forwarded-For", "1.1.1.1, unknown"],
    "unknown",
  ],
  ["in IPv4, mapped or not", "::ffff:10.0.0.1", ["X-Forwarded-For", "::ffff:1.1.1.1"], "1.1.1.1"],
  ["of Forwarded, by a name that a port follows", "10.0.0.1", ["Forwarded", 'for="1.1.1.1:_p"'], "1.1.1.1"],
  ["in 64 characters at most", "10.0.0.1", ["X-Forwarded-For", "a".repeat(5000)], "a".repeat(64)],
])("the client of a request is %s", (_, address, fields, client) => {
  expect(from(address, ...fields).counted).toBe(client);
});

test.each([
  ["all that are trusted are passed", ["X-Forwarded-For", "10.0.0.3, 10.0.0.2"], "10.0.0.3"],
  ["a name ends the way", ["X-Forwarded-For", "1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"],
  [
    "so does an element of Forwarded that tells of nobody",
    ["Forwarded", "for=1.1.1.1, proto=http"],
    "10.0.0.1",
  ],
  ["Forwarded is read where there is nothing else", ["Forwarded", "for=2.2.2.2, for=10.0.0.2"], "2.2.2.2"],
  ["a host that is quoted is no element", ["Forwarded", 'for=2.2.2.2;host="h,for=6.6.6.6"'], "2.2.2.2"],
  ["nor one that follows an odd quote", ["Forwarded", 'for="6.6.6.6, for=2.2.2.2;by="10.0.0.1"'], "2.2.2.2"],
])("the address that is known of a client: %s", (_, fields, address) => {
  expect(from("10.0.0.1", ...fields).address).toBe(address);
});

test("a balancer that does not tell its client is not believed what it passes on, and is not counted", () => {
  const fields = ["X-Forwarded-For", "6.6.6.6"];
  const peer = { address: "10.0.0.1", encrypted: false, isUntold: true };
  const client = { address: "10.0.0.1", counted: undefined };
  expect(clientOf(trusts, { fields, peer }, names.of(fields))).toEqual(client);
});
