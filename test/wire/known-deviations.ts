/**
 * What an engine knowingly does not do, by the name of the duty's test: the one list. A listed duty is run all the
 * same, and what happens in its place is asserted.
 */
export const knownDeviations: Readonly<Record<"undici" | "http-proxy", readonly string[]>> = {
  undici: [
    "an obs-text reason goes on octet for octet (RFC 9112 §4)",
    "a client gone while its upload is held back: the upstream's connection closes within 100 ms",
  ],
  "http-proxy": [
    "a client gone while its upload is held back: the upstream's connection closes within 100 ms",
    "repeated fields of a request stay apart, in their order and spelling (RFC 9110 §5.3)",
  ],
};
