/**
 * The secrets that journey pins are signed with, and the one that keys of TLS session tickets are made of. Those in the
 * configuration are used as they are; where there is none, one is generated once and shared by all instances through the
 * store, and kept in the snapshot for a cold start without it. Until the store has answered, pins are signed with the
 * kept secret, or one of this instance's own.
 */
import { randomBytes } from "node:crypto";
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Timers } from "../base/clock.ts";
import { type JourneyPin, type PinReading, readPin, signPin } from "../decide/pin.ts";

export interface JourneySecrets {
  /** @returns what a cutover's pins may be signed with; the first signs */
  of(cutover: string): readonly string[];
  /** Asks the store once; where it does not answer, asks again each second until it does. Never rejects. */
  start(): Promise<void>;
  /**
   * Goes by these from now on, as `start` does. One that was generated stays while the configuration gives none.
   *
   * @param configured as at the beginning
   */
  reconfigure(configured: ReadonlyMap<string, readonly string[]>): Promise<void>;
  stop(): void;
}

/** The part of the store that is needed here. */
interface SharedValues {
  /** The value kept under a name that all instances share; the first to offer one wins. Rejects when out of reach. */
  shared(name: string, offer: string): Promise<string>;
}

interface JourneySecretsOptions {
  readonly store: SharedValues;
  readonly timers: Timers;
  /** The configured secrets of each cutover that has a journey, the first signs; none: to be generated. */
  readonly configured: ReadonlyMap<string, readonly string[]>;
  /** What a snapshot kept, by shared name. */
  readonly kept: ReadonlyMap<string, string>;
  readonly keep: (sharedName: string, secret: string) => void;
  /** A secret has changed by itself, after the start. */
  readonly onChange?: () => void;
}

/** Reads the pins of one cutover, and makes them. */
export interface PinReader {
  /** @param nowSeconds seconds since the epoch */
  read(text: string, nowSeconds: number): PinReading;
  /** Whether it was signed for this cutover, whenever that was. */
  isOwn(text: string): boolean;
  /** @returns the pin as its cookie has it; `undefined`: there is nothing to sign it with */
  sign(pin: JourneyPin): string | undefined;
}

/** Most pins that are known by their text. */
const mostKnown = 10_000;

/** A part of a string keeps all of it in memory: a cookie the whole field that it came in. */
const copied = (text: string) => Buffer.from(text, "latin1").toString("latin1");

/**
 * A signature is reckoned once: a request's cookie is read, and then taken out of what goes on, others come in between, and
 * many a cookie was made here. Only texts that are signed are remembered: no stranger has them forgotten.
 *
 * @param secrets asked at each use
 */
export function createPinReader(secrets: () => readonly string[], cutover: string): PinReader {
  let by: readonly string[] = [];
  let known = createBoundedMap<PinReading>(mostKnown);

  function inForce(): readonly string[] {
    const now = secrets();
    if (now !== by) known = createBoundedMap<PinReading>(mostKnown);
    by = now;
    return now;
  }
  function verify(text: string): PinReading {
    const signers = inForce();
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const reading = readPin(signers, cutover, text, 0);
    if (reading.valid) known.set(copied(text), reading);
    return reading;
  }
  return {
    read(text, nowSeconds) {
      const reading = verify(text);
      const isLate = reading.valid && nowSeconds >= reading.pin.expiresAt;
      return isLate ? { valid: false, fault: "expired" } : reading;
    },
    isOwn: (text) => verify(text).valid,
    sign(pin) {
      const [secret] = inForce();
      if (secret === undefined) return undefined;
      const text = signPin(secret, cutover, pin);
      const { id, side, epoch, startedAt, expiresAt } = pin;
      const told = { id, side, epoch, startedAt, expiresAt, ...(startedAt === 0 && { ended: true }) };
      known.set(text, { valid: true, pin: told });
      return text;
    },
  };
}

const retryMs = 1000;

/** Whose the secret of session tickets is, in the place of a cutover: none is named like that. */
export const ticketsOwner = ":tls-tickets";

/** The name a cutover's journey secret is shared under, or that of session tickets. */
export function secretName(cutover: string): string {
  return cutover === ticketsOwner ? "tls-tickets" : `journey:${cutover}`;
}

export function createJourneySecrets(options: JourneySecretsOptions): JourneySecrets {
  const { store, timers, kept, keep, onChange = () => {} } = options;
  const secrets = new Map<string, readonly string[]>();
  const unshared = new Set<string>();
  let cancel = () => {};
  let stopped = false;
  /** The cutovers whose secret was generated. */
  const generated = new Set<string>();
  configure(options.configured);

  function configure(configured: ReadonlyMap<string, readonly string[]>): void {
    for (const [cutover, given] of configured) {
      if (given.length > 0) {
        unshared.delete(cutover);
        generated.delete(cutover);
        secrets.set(cutover, given);
      } else if (!generated.has(cutover)) {
        unshared.add(cutover);
        generated.add(cutover);
        secrets.set(cutover, [kept.get(secretName(cutover)) ?? randomBytes(32).toString("base64url")]);
      }
    }
  }

  async function share(): Promise<void> {
    await Promise.all(
      [...unshared].map(async (cutover) => {
        const [own = ""] = secrets.get(cutover) ?? [];
        try {
          const shared = await store.shared(secretName(cutover), own);
          if (!generated.has(cutover)) return;
          secrets.set(cutover, shared === own ? [own] : [shared, own]);
          unshared.delete(cutover);
          keep(secretName(cutover), shared);
          onChange();
        } catch {
          // Out of reach: asked again below; until then the instance's own serves.
        }
      }),
    );
    cancel();
    if (unshared.size > 0 && !stopped) cancel = timers.after(retryMs, () => void share());
  }

  return {
    of: (cutover) => secrets.get(cutover) ?? [],
    start: share,
    reconfigure(configured) {
      configure(configured);
      return share();
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}
