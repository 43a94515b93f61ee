/**
 * Who comes with a journey that a hard rollback has taken away, and for whom `onVoid` says another page than what legacy
 * makes of a checkout that it has never seen.
 *
 * The redirect is for a shopper who looks at a page of the shop, and sends nobody away who brings or makes anything that
 * counts. All of this must hold:
 *
 *   its cookie is a valid pin of new, older than the rollback, and the journey has not ended: whoever has paid
 *   looks at an order, not at a cart
 *   it would go to legacy, and not because legacy owns a key of it
 *   a browser opens a page with it: GET or HEAD, or POST by a form, which is then not sent on; never what scripts fetch
 *   it comes from a page of this very host: never a payment provider's way back, not from pay.shop.example either, nor
 *   a callback, which has no cookie
 *   it is for another page than the one it would be sent to
 *
 * With it the cookie goes, so that it happens once a journey. Nothing of the request is sent, and what it was to begin or to
 * claim is given back: 303 makes a GET of whatever it was, so a form that paid is not paid by the redirect either. It is
 * no side's, and counts for none.
 */
import { fieldValue } from "../../../decide/sources.ts";
import type { CompiledRoute } from "../../routes.ts";
import { type Recorded, redirect } from "../../settle.ts";
import type { Decided } from "../../witness.ts";
import type { Arrival } from "../arrival.ts";
import { navigates } from "../client.ts";
import { authorityName } from "../target.ts";
import { setCookie } from "./own-cookie.ts";

/** Answers with the redirect whom it is for, and sends nothing to either side. @returns whether it has */
export function isSentAway(
  exchange: Recorded,
  { cutover }: CompiledRoute,
  arrival: Arrival | undefined,
  { isVoid, decision }: Decided,
): boolean {
  const { journey, pages } = cutover;
  const { onVoid } = pages;
  if (isVoid !== true || onVoid === undefined || journey === undefined || arrival === undefined) return false;
  if (decision.side !== "legacy" || decision.reason === "owner") return false;
  const [page] = onVoid.split("?");
  if (arrival.target.path === page || !opensPage(arrival) || !isFromShop(arrival)) return false;
  exchange.unsent = true;
  redirect(exchange, ["Location", onVoid, ...setCookie(exchange, journey.cookie, "", 0)]);
  return true;
}

/** What a browser opens a page with: by a link, an address or a form. */
const pageMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);

function opensPage({ head, names }: Arrival): boolean {
  return pageMethods.has(head.method) && head.upgrade === undefined && navigates(head.fields, names);
}

/** What older browsers do not say is told by the page that they come from; without that it may be anybody's. */
function isFromShop({ head, names, host }: Arrival): boolean {
  const site = fieldValue(head.fields, names, "sec-fetch-site");
  if (site !== undefined) return /^\s*(?:same-origin|none)\s*$/.test(site);
  const from = fieldValue(head.fields, names, "origin") ?? fieldValue(head.fields, names, "referer") ?? "";
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(from) ?? [];
  return authority !== undefined && authority !== "" && authorityName(authority) === authorityName(host);
}
