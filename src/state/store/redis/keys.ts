/**
 * The names of everything the store keeps in Redis. The braces are literal: a Cluster hashes what is inside, and the
 * keys of one script must hash alike.
 */
export interface Keys {
  readonly changes: string;
  readonly index: string;
  readonly roster: string;
  /** The visible hash, the accepted state, the audit: KEYS of every script that touches a cutover. */
  cutover(name: string): readonly [visible: string, accepted: string, audit: string];
  /** The open proposal; hashes as the cutover's other keys do. */
  proposal(name: string): string;
  /** The reasons given later, a stream beside the audit. */
  annotations(name: string): string;
  instance(id: string): string;
  shared(name: string): string;
}

export function createKeys(prefix: string): Keys {
  return {
    changes: `${prefix}:changes`,
    index: `${prefix}:{instances}:index`,
    roster: `${prefix}:{instances}:roster`,
    cutover(name) {
      const visible = `${prefix}:{${name}}`;
      return [visible, `${visible}:accepted`, `${visible}:audit`];
    },
    proposal: (name) => `${prefix}:{${name}}:proposal`,
    annotations: (name) => `${prefix}:{${name}}:annotations`,
    instance: (id) => `${prefix}:instance:${id}`,
    shared: (name) => `${prefix}:shared:${name}`,
  };
}
