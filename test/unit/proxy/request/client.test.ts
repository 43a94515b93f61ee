import { expect, test } from "vitest";
import { clientOf } from "../../../../src/proxy/request/client.ts";
import { createFieldNames } from "../../../../src/proxy/request/field-names.ts";

const names = createFieldNames();
const trusts = (address: string) => address.startsWith("10.");
const from = (address: string, ...fields: string[]) =>
  clientOf({ trusts }, { head: { fields, peer: { address } }, names: names.of(fields) });

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
  ["in 64 characters at most", "10.0.0.1", ["X-Forwarded-For", "a".repeat(5000)], "a".repeat(64)],
])("the client of a request is %s", (_, address, fields, client) => {
  expect(from(address, ...fields)).toBe(client);
});
