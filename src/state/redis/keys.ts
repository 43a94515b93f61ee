/** The names of everything the store keeps in Redis. The braces are literal: a cluster hashes what is inside. */
export interface Keys {
  readonly changes: string;
  readonly instances: string;
  readonly roster: string;
  /** The visible hash, the accepted state, the audit: KEYS of every script that touches a cutover. */
  cutover(name: string): readonly [visible: string, accepted: string, audit: string];
  instance(id: string): string;
  shared(name: string): string;
}

export function createKeys(prefix: string): Keys {
  return {
    changes: `${prefix}:changes`,
    instances: `${prefix}:instances`,
    roster: `${prefix}:roster`,
    cutover(name) {
      const visible = `${prefix}:{${name}}`;
      return [visible, `${visible}:accepted`, `${visible}:audit`];
    },
    instance: (id) => `${prefix}:instance:${id}`,
    shared: (name) => `${prefix}:shared:${name}`,
  };
}
