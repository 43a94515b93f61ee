/** What the two ways of speaking (forms.ts, graphql.ts) are asked, have behind them, and answer. */
import type { OrderBook } from "../shops/orders.ts";
import type { Session, Sessions } from "./sessions.ts";

/** What one request is answered with. */
export interface StorefrontPage {
  readonly status: number;
  readonly type?: "text/html" | "application/json" | "text/css" | "text/javascript";
  readonly body?: string;
  /** A path of its own, without base: told as an absolute address of this shop. */
  readonly location?: string;
}

/** What both ways of speaking have behind them. */
export interface Counter {
  readonly name: string;
  readonly release: string;
  readonly bankUrl: string;
  readonly sessions: Sessions;
  readonly orders: OrderBook;
  /** One more of a kind that is counted here. */
  count(kind: "pages" | "emptyCheckouts"): void;
}

export interface StorefrontRequest {
  readonly method: string;
  /** Without base. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly session: Session;
}
