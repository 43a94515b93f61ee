import { setTimeout as sleep } from "node:timers/promises";

/** @throws Error when nothing answers 200 there within 20 s */
export async function untilAnswering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    try {
      const response = await fetch(url);
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Not listening yet.
    }
    await sleep(50);
  }
  throw new Error(`${url} does not answer 200`);
}
