/** What exchanges share: handed on whole, and as it is, to each part of an exchange. */
import type { Clock } from "../base/clock.ts";
import type { Lists } from "../lists/port.ts";
import type { ClaimBudget, MoneyAtRisk, Ownership, Pins, Unowned } from "../ownership/port.ts";
import type { Rollbacks } from "../state/follow/rollbacks.ts";
import type { Following } from "../state/follow/snapshot.ts";
import type { ForceAttempts } from "./force/attempts.ts";
import type { DroppedWhy } from "./relay/cookies/apart.ts";
import type { FieldNames } from "./request/field-names.ts";
import type { Ids } from "./request/ids.ts";
import type { Table } from "./routes.ts";

export interface ExchangeContext {
  readonly table: Table;
  readonly following: Following;
  readonly rollbacks: Rollbacks;
  /** Who is on which list. */
  readonly lists: Lists;
  readonly ownership: Ownership;
  readonly pins: Pins;
  readonly budget: Pick<ClaimBudget, "take" | "exceeded">;
  readonly unowned: Unowned;
  readonly exposure: MoneyAtRisk;
  readonly force: ForceAttempts;
  readonly clock: Clock;
  readonly fieldNames: FieldNames;
  readonly ids: Ids;
  /** Hears of a cookie that an upstream sets and no client is given. */
  readonly droppedCookie: (why: DroppedWhy) => void;
  /** This proxy's name in Via and Proxy-Status. */
  readonly proxyName: string;
  /** Hears of a fault of the proxy's own. */
  readonly onFault: (error: unknown) => void;
}
