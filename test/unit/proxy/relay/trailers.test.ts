import { expect, test } from "vitest";
import { trailerFields } from "../../../../src/proxy/relay/trailers.ts";

test("what is acted upon before the content, or is no text, is no trailer that goes on", () => {
  const kept = ["X-Sum", "7", "Server-Timing", "db;dur=1", "X-Latin", "caf\xe9"];
  const others = ["Set-Cookie", "sid=1", "content-length", "3", "X-Broken", "a\nb", "Via", "1.1 x"];
  expect(trailerFields([...others, ...kept])).toEqual(kept);
});
