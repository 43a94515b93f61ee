/**
 * Sessions as shops have them: a cookie with a random name of the session, and a name that this shop did not give out is
 * replaced by a new one at once, under the same cookie. Two shops that call it alike take each other's sessions away.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createBoundedMap } from "../../base/bounded-map.ts";
import type { OrderItem } from "../shops/orders.ts";

export interface Session {
  id: string;
  cart: OrderItem[];
  account: string | undefined;
  /** The order that has begun and is not paid. */
  orderId: string | undefined;
}

export interface Sessions {
  /** By the cookie, else by a bearer token; one that begins here and now where neither names one of this shop. */
  of(request: IncomingMessage): { readonly session: Session; readonly isNew: boolean };
  /** Gives it a new id, as a shop does at a login. */
  renew(session: Session): void;
}

/** @param most sessions kept; those not used for long make room */
export function createSessions(cookie: string, most: number): Sessions {
  const kept = createBoundedMap<Session>(most);
  const newId = () => randomBytes(13).toString("hex");
  return {
    of(request) {
      const id = cookieIn(request, cookie) ?? bearerIn(request);
      const known = id === undefined ? undefined : kept.get(id);
      if (known !== undefined) return { session: known, isNew: false };
      const session: Session = { id: newId(), cart: [], account: undefined, orderId: undefined };
      kept.set(session.id, session);
      return { session, isNew: true };
    },
    renew(session) {
      kept.delete(session.id);
      session.id = newId();
      kept.set(session.id, session);
    },
  };
}

function cookieIn({ headers }: IncomingMessage, name: string): string | undefined {
  for (const pair of (headers.cookie ?? "").split(";")) {
    const [key, value = ""] = pair.trim().split("=", 2);
    if (key === name && value !== "") return value;
  }
  return undefined;
}

/** An app may say before a point which one it is: that stays when its session is another. */
function bearerIn({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (?:[\w-]+\.)?(\w+)$/.exec(headers.authorization ?? "")?.[1];
}
