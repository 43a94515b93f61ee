/**
 * The keys in an answer: what its side has made, and so owns. A Location counts where it leads to this host and names the
 * order as a route's path does.
 */
import { isInBody } from "../../../config/values/source.ts";
import type { BodyValues } from "../../../decide/body.ts";
import { placedIn } from "../../../decide/route.ts";
import {
  fieldValue,
  longestText,
  type RequestView,
  readKey,
  readSource,
  segmentKey,
} from "../../../decide/sources.ts";
import type { OwnerKey } from "../../../ownership/port.ts";
import type { CompiledOwner } from "../../orders.ts";
import type { CompiledCutover } from "../../routes.ts";
import type { ResponseHead } from "../../upstream/port.ts";
import type { Arrival } from "../arrival.ts";
import { ownerKey } from "../gather.ts";
import { pathOfLocation } from "../target.ts";
import { minorUnits } from "./amount.ts";

/** What was asked: where a Location begins from. */
export interface AskedAt extends Pick<Arrival, "target"> {
  /** What this host is called: as the request has it, and as its client does. */
  readonly hosts: readonly string[];
}

interface KeysFound {
  readonly keys: readonly OwnerKey[];
  /** One was too long to count. */
  readonly tooLong: boolean;
  /** To look for one in the body took too long. */
  readonly unsearched: boolean;
}

/**
 * @param names those of the head's fields, lower case
 * @param body absent where there is none, or it could not be read
 */
export function keysIn(
  owners: readonly CompiledOwner[],
  { hosts, target }: AskedAt,
  { fields }: ResponseHead,
  names: readonly string[],
  body: BodyValues | undefined,
): KeysFound {
  let tooLong = false;
  let unsearched = false;
  const view: RequestView = {
    fields,
    fieldNames: names,
    query: "",
    paramNames: [],
    paramValues: [],
    ...body,
    onUnfinished: (source) => {
      unsearched ||= isInBody(source);
      tooLong ||= !isInBody(source);
    },
  };
  const keys = new Map<string, OwnerKey>();
  for (const owner of owners) {
    for (const source of owner.learn ?? []) {
      let key = readKey(source, view);
      if (source.kind === "header" && source.name === "location") {
        const path = pathOfLocation(fieldValue(fields, names, "location") ?? "", hosts, target.path);
        if (path === undefined) continue;
        if (source.pattern === undefined) {
          const segment = placedIn(owner.places, path);
          key = segment && segmentKey(segment);
        }
      }
      if (key === undefined) continue;
      if (key.length > longestText) tooLong = true;
      else keys.set(key, ownerKey(owner, key));
    }
  }
  return { keys: [...keys.values()], tooLong, unsearched };
}

/**
 * @param of where it stands
 * @returns what the order that the answer makes is worth, in minor units; `undefined` where that cannot be told
 */
export function amountIn(
  { amount, decimals }: NonNullable<CompiledCutover["exposure"]>,
  { fields }: ResponseHead,
  names: readonly string[],
  body: BodyValues | undefined,
): number | undefined {
  const view = { fields, fieldNames: names, query: "", paramNames: [], paramValues: [], ...body };
  const text = readSource(amount, view);
  return text === undefined ? undefined : minorUnits(text, decimals);
}
