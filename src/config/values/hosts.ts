/**
 * The hosts that requests are for: `shop.example`, or `*.shop.example` for every host below it, however many labels, and
 * not for itself. Case and ports do not count, nor does a dot at the end (RFC 9110 §4.2.3, RFC 3986 §3.2.2).
 */

const nameForm =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** @returns the host in its one spelling, or the sentence that says what was expected */
export function parseHost(text: string): string | { readonly expected: string } {
  const expected = (sentence: string) => ({ expected: sentence });
  if (!/^[\x21-\x7e]*$/.test(text)) return expected("expected a host in ASCII: other names as xn--…");
  if (/[/?#@]/.test(text)) return expected("expected a host without scheme, user or path");
  if (/^\[.*\]$/.test(text)) {
    return URL.canParse(`http://${text}/`)
      ? addressName(text)
      : expected("expected an IPv6 address in brackets");
  }
  if (URL.canParse(`http://[${text}]/`)) return expected("expected an IPv6 address in brackets, as in [::1]");
  if (text.includes(":")) return expected("expected a host without a port: every port counts");
  const name = plainName(text);
  const rest = name.startsWith("*.") ? name.slice(2) : name;
  if (name === "*") return expected("expected a host: where none are named, all count");
  if (rest.includes("*")) return expected("expected * only as the whole first label, as in *.shop.example");
  return nameForm.test(rest) ? name : expected("expected a host such as shop.example or *.shop.example");
}

/** The one spelling of a host that is known to be one, as it stands as a key. */
export function spelledHost(text: string): string {
  const parsed = parseHost(text);
  return typeof parsed === "string" ? parsed : text;
}

/** @param authority as a request has it, perhaps with a port @returns its host in the one spelling */
export function hostNameOf(authority: string): string {
  const bracket = authority.startsWith("[") ? authority.indexOf("]") : -1;
  if (bracket !== -1) return addressName(authority.slice(0, bracket + 1));
  const colon = authority.indexOf(":");
  return plainName(colon === -1 ? authority : authority.slice(0, colon));
}

function plainName(text: string): string {
  return (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
}

/** RFC 5952, as a URL has it. */
function addressName(bracketed: string): string {
  const url = `http://${bracketed}/`;
  return URL.canParse(url) ? new URL(url).hostname : bracketed.toLowerCase();
}

/** Whether every host of `narrow` is one of `wide`. */
export function coversHost(wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  return wide.startsWith("*.") && narrow.length > wide.length - 1 && narrow.endsWith(wide.slice(1));
}

export interface HostTable<Value> {
  /** @param authority that a request is for */
  of(authority: string): Value;
}

/**
 * @param hosts each in its one spelling
 * @param make of the hosts that a request's host is one of, the most specific first; none: one that nobody names
 */
export function compileHosts<Value>(
  hosts: Iterable<string>,
  make: (hosts: readonly string[]) => Value,
): HostTable<Value> {
  const named = [...new Set(hosts)];
  const exact = new Map<string, Value>();
  /** By what follows the `*`. */
  const below = new Map<string, Value>();
  for (const host of named) {
    const value = make(named.filter((one) => coversHost(one, host)).sort(bySpecificity));
    if (host.startsWith("*.")) below.set(host.slice(1), value);
    else exact.set(host, value);
  }
  const others = make([]);
  return {
    of(authority) {
      const name = hostNameOf(authority);
      const found = exact.get(name);
      if (found !== undefined || below.size === 0) return found ?? others;
      for (let dot = name.indexOf(".", 1); dot !== -1; dot = name.indexOf(".", dot + 1)) {
        const under = below.get(name.slice(dot));
        if (under !== undefined) return under;
      }
      return others;
    },
  };
}

/** Of hosts that one host is of: itself, then the longer ones. */
function bySpecificity(one: string, other: string): number {
  const isBelow = Number(one.startsWith("*.")) - Number(other.startsWith("*."));
  return isBelow !== 0 ? isBelow : other.length - one.length;
}
