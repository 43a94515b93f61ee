/** Fields behind the content: those go on that nobody acts upon before it (RFC 9110 §6.5.1). */

/**
 * What a recipient acts on before the content, or about the connection: framing, routing, request modifiers,
 * authentication, control data of a response, the content's format. Merged into a head it would be believed there.
 */
const forbiddenTrailers: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via"],
  ...["content-length", "host", "max-forwards", "expect", "forwarded", "cache-control", "pragma", "range"],
  ...["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"],
  ...["cookie", "set-cookie", "authorization", "www-authenticate", "proxy-authenticate"],
  ...["proxy-authorization", "age", "date", "expires", "location", "retry-after", "vary", "warning", "allow"],
  ...["content-encoding", "content-type", "content-range", "content-location", "content-language"],
]);
/** RFC 9110 §5.5. */
const sound = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * @param trailers flat list as received
 * @returns those that may go on, in their order
 */
export function trailerFields(trailers: readonly string[]): readonly string[] {
  if (trailers.length === 0) return trailers;
  const kept: string[] = [];
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = trailers[i] ?? "";
    const value = trailers[i + 1] ?? "";
    if (!forbiddenTrailers.has(name.toLowerCase()) && sound.test(value)) kept.push(name, value);
  }
  return kept;
}
