/** What the channel of changes says (common.lua), so that whoever has followed up to it need not ask. PURE. */
import { z } from "zod";
import type { News } from "../port.ts";
import { hashFields, jsonOf, parentFromHash, stateFromHash } from "../written.ts";

/** The cutover's name, five fields of what the change was made from, the state it has come to. */
const told = z.array(z.string()).length(1 + 5 + hashFields.length);

/**
 * @param isSure whether the server that answers reads has sent it
 * @returns `undefined` when it does not read as a change: older programs publish the name alone
 */
export function newsFrom(message: Buffer, isSure: boolean): News | undefined {
  const [name = "", ...values] = told.safeParse(jsonOf(message.toString("utf8"))).data ?? [];
  const from = parentFromHash(values.slice(0, 5));
  const state = stateFromHash(values.slice(5));
  if (name === "" || from === undefined || state === undefined) return undefined;
  return { name, from, state, isSure };
}
