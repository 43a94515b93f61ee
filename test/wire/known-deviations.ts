/**
 * What an engine knowingly does not do, by the name of the duty's test: the one list. A listed duty is run all the
 * same, and what happens in its place is asserted.
 */
type Deviations = Readonly<Record<"undici" | "http-proxy", readonly string[]>>;

/** Deviations of the engine alone, behind its port (forward/). */
export const engineDeviations: Deviations = {
  undici: [
    "sends the head of a streamed request at once (RFC 9112 §6)",
    "sends the head of a streamed request at once even when a field is obs-text (RFC 9112 §6)",
  ],
  "http-proxy": [
    "keeps repeated and mixed-case fields in their order (RFC 9110 §5.3)",
    "sends the head of a streamed request at once even when a field is obs-text (RFC 9112 §6)",
  ],
};

/** Deviations of the whole proxy with the engine (proxy/). */
export const proxyDeviations: Deviations = {
  undici: [],
  "http-proxy": ["repeated fields of a request stay apart, in their order and spelling (RFC 9110 §5.3)"],
};
