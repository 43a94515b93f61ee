/** What an earlier demonstration left in the store: a cutover that does not stand at 0 and open. */
import { request } from "undici";
import { z } from "zod";
import { type StateName, stateNames } from "../state/rules/model.ts";

export interface LeftOver {
  readonly percent: number;
  readonly state: StateName;
}

const answer = z.object({ percent: z.number(), state: z.enum(stateNames) });
const patienceMs = 2000;

/** @returns `undefined` also when the admin API does not say: the demonstration goes on without */
export async function readLeftOver(adminUrl: string, cutover: string): Promise<LeftOver | undefined> {
  try {
    const { body } = await request(new URL(`/api/v1/cutovers/${cutover}`, adminUrl), {
      reset: true,
      headersTimeout: patienceMs,
      bodyTimeout: patienceMs,
    });
    const { data } = answer.safeParse(await body.json());
    return data === undefined || (data.percent === 0 && data.state === "open") ? undefined : data;
  } catch {
    return undefined;
  }
}
