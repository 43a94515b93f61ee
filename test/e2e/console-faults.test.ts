/**
 * What goes wrong while a console is open, in a real browser before three real instances: connections that are cut, instances
 * that do not acknowledge, calls that fail, changes by somebody else, sessions that end; and two people who have to agree.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { accepted } from "../support/admin-api.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { launchChromium } from "../support/chromium.ts";
import { changesOf, phone, visitsOf } from "../support/console-page.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { startPartition } from "../support/partition.ts";
import { visitAll } from "../support/traffic.ts";
import { eventually } from "../support/until.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const shoppers = Array.from({ length: 60 }, (_, number) => `shopper-${number}`);

describe.runIf(isFull)("while a console is open", () => {
  let browser: Browser;
  let fleet: Fleet;
  const visits = visitsOf(() => browser);
  beforeAll(async () => {
    [browser, fleet] = await Promise.all([launchChromium(), startFleet()]);
  });
  beforeEach(async () => {
    const [{ api }] = fleet.members;
    await api.call("resume");
    accepted(await api.set(10));
  });
  afterEach(() => visits.leave());
  afterAll(async () => {
    await browser?.close();
    await fleet?.stop();
  });

  test("its connections are cut: it says so, tells how to roll back from a terminal, and is live again by itself", async () => {
    const { admin } = fleet.members[0].served;
    const link = await startPartition(Number(new URL(admin).port));
    try {
      const page = await visits.open(`http://127.0.0.1:${link.port}/`, phone);
      link.cut();
      await page.locator(".chip.delayed").waitFor();
      await page.locator("#roll-back").tap();
      await page.locator("#roll-back-now:not([aria-disabled=true])").tap();
      const alert = page.locator("#sheet-rollback [role=alert]");
      await alert.waitFor();
      expect(await alert.textContent()).toContain("Not applied. The admin API did not answer.");
      expect(await alert.textContent()).toContain("cutover rollback checkout");
      await page.locator(".chip.stale").waitFor();
      expect(await page.locator("#verdict").textContent()).toMatch(/\?Unknown: data is \d+ s old/);
      expect((await fleet.members[1].api.view()).percent).toBe(10);
      link.heal();
      await page.locator(".chip.live").waitFor();
      await page.getByRole("button", { name: "Try again" }).tap();
      await page.locator("#sheet-rollback .notice.done").waitFor();
      expect((await fleet.members[1].api.view()).state).toBe("rolled_back");
    } finally {
      await link.close();
    }
  });

  test("its connections are torn again and again: it stays live", async () => {
    const { admin } = fleet.members[0].served;
    const link = await startPartition(Number(new URL(admin).port));
    try {
      const page = await visits.open(`http://127.0.0.1:${link.port}/`);
      for (let again = 0; again < 4; again += 1) {
        link.heal();
        const at = await serverTimeOf(page);
        await eventually("another tick", async () => (await serverTimeOf(page)) !== at, 6000);
      }
      expect(await page.locator(".chip.stale").count()).toBe(0);
    } finally {
      await link.close();
    }
  });

  test("an instance does not acknowledge: the sheet names it, and the others have rolled back", async () => {
    const [one, two, three] = fleet.members;
    const page = await visits.open(one.served.admin, phone);
    three.served.signal("SIGSTOP");
    try {
      await page.locator("#roll-back").tap();
      await page.locator("#roll-back-now:not([aria-disabled=true])").tap();
      await page.getByText(/Committed as v\d+; applied on 2\/3 instances so far/).waitFor();
      const notice = page.locator("#sheet-rollback .notice.partial");
      await notice.waitFor();
      expect(await notice.textContent()).toMatch(
        /▲ Committed as v\d+ \(\d[\d.]* s\): not certain on every instance yetApplied on 2\/3 instances.*decides by v\d+, silent since/,
      );
      for (const { shop } of [one, two]) {
        const visited = await visitAll(shop, shoppers, 4);
        expect(new Set(visited.map(({ side }) => side))).toEqual(new Set(["legacy"]));
      }
    } finally {
      three.served.signal("SIGCONT");
    }
    await eventually(
      "the third follows",
      async () => (await three.api.view()).state === "rolled_back",
      10_000,
    );
  });

  test.each([
    [
      503,
      { code: "store_unavailable", detail: "the store is out of reach" },
      "Not applied: the store is out of reach.",
    ],
    [502, undefined, "Not applied: the answer was 502."],
  ])("a call is answered %d: the sheet stays and says why", async (status, problem, said) => {
    const page = await visits.open(fleet.members[0].served.admin, phone);
    const body = problem === undefined ? "<h1>Bad gateway</h1>" : JSON.stringify(problem);
    await page.route("**/rollback", (route) => route.fulfill({ status, body }), { times: 1 });
    await page.locator("#roll-back").tap();
    await page.locator("#roll-back-now:not([aria-disabled=true])").tap();
    const alert = page.locator("#sheet-rollback [role=alert]");
    await alert.waitFor();
    expect(await alert.textContent()).toContain(said);
    expect(await page.evaluate(() => document.activeElement?.closest("dialog")?.id)).toBe("sheet-rollback");
    await page.getByRole("button", { name: "Try again" }).tap();
    await page.locator("#sheet-rollback .notice.done").waitFor();
  });

  test("somebody else was quicker, and the page has not heard of it: the conflict is said, and nothing is changed", async () => {
    const page = await deafPage();
    await page.locator("#raise").click();
    await page.locator("#sheet-raise").getByLabel("Reason").fill("step 3");
    await page
      .locator("#sheet-raise")
      .getByLabel(/^Type 25/)
      .fill("25");
    await page.evaluate(() => Object.assign(globalThis, { isDeaf: true }));
    accepted(await fleet.members[1].api.set(12));
    await page.locator("#raise-now").click();
    const alert = page.locator("#sheet-raise [role=alert]");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/Not applied: .*It stands at 12%, open, v\d+/);
    expect((await fleet.members[2].api.view()).percent).toBe(12);
    await page.evaluate(() => Object.assign(globalThis, { isDeaf: false }));
    await page.getByText(/^Changed by anonymous to 12% \(v\d+\)\. Review again\.$/).waitFor();
  });

  /** Hears nothing of the stream while it is told not to. */
  async function deafPage(): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(() => {
      const { addEventListener: listen } = EventSource.prototype;
      const addEventListener = function (this: EventSource, name: string, hear: (event: Event) => void) {
        listen.call(this, name, (event: Event) => {
          if (Reflect.get(globalThis, "isDeaf") !== true) hear(event);
        });
      };
      Object.assign(EventSource.prototype, { addEventListener });
    });
    await page.route(/\/api\/v1\/cutovers$/, (route) => route.abort());
    await page.goto(fleet.members[0].served.admin);
    await page.locator("#live").waitFor();
    return page;
  }

  test("is used by its keys: a list of them, a hold, the charts' ranges; and they can be switched off", async () => {
    const page = await visits.open(fleet.members[0].served.admin);
    const changes = changesOf(page);
    await page.keyboard.press("?");
    await page.locator("#sheet-help[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Shift+H");
    await page.locator(".state.held").waitFor();
    expect(changes).toEqual(["/api/v1/cutovers/checkout/hold"]);
    await page.getByRole("button", { name: "3 h", exact: true }).waitFor();
    await page.keyboard.press("2");
    await page.locator("[aria-pressed=true]", { hasText: /^3 h$/ }).waitFor();
    let presses = 0;
    await page.locator("body").focus();
    for (; presses < 20; presses += 1) {
      if ((await page.evaluate(() => document.activeElement?.id)) === "roll-back") break;
      await page.keyboard.press("Tab");
    }
    expect(presses).toBeLessThanOrEqual(6);
    await page.keyboard.press("?");
    await page.getByLabel("Keys are on").uncheck();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Shift+R");
    expect(await page.locator("#sheet-rollback[open]").count()).toBe(0);
    await page.reload();
    await page.locator("#live").waitFor();
    await page.keyboard.press("Shift+R");
    expect(await page.locator("#sheet-rollback[open]").count()).toBe(0);
  });

  test("writes numbers and moments as an Indonesian reads them, also after the script has come", async () => {
    accepted(await fleet.members[0].api.set(12.5));
    const page = await visits.open(fleet.members[0].served.admin, {
      locale: "id-ID",
      timezoneId: "Asia/Jakarta",
    });
    expect(await page.locator("h1").textContent()).toBe("12,5% of new checkouts go to marketplace");
    await page
      .getByText(/^\d\d:\d\d:\d\d WIB$/)
      .first()
      .waitFor();
    const iso = await page.locator("#history + section time").first().getAttribute("datetime");
    expect(iso).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    await page.getByRole("button", { name: "Clock: Jakarta (WIB)" }).click();
    await page
      .getByText(/^\d\d:\d\d:\d\d UTC$/)
      .first()
      .waitFor();
    expect(visits.troubles()).toEqual([]);
  });

  test("two people agree: a raise is proposed, seen by the other within two seconds, approved there; the next one is withdrawn", async () => {
    const admin = await startAdmin({ auth: tokens, approvalOver: 10 });
    try {
      const [ana, ben] = [await signedIn(admin.url, "operator"), await signedIn(admin.url, "admin")];
      await propose(ana, "20");
      const proposedAt = performance.now();
      await ben.locator("#approve").waitFor();
      expect(performance.now() - proposedAt).toBeLessThanOrEqual(2000);
      expect(await ben.locator(".proposal").textContent()).toContain("is proposed by operator-token, “more”");
      expect(await ana.locator("#approve").count()).toBe(0);
      await ana.locator("#sheet-raise .close").click();
      await ben.locator("#approve").click();
      await ben
        .getByText(/^Approved: 20% \(v1\)$/)
        .first()
        .waitFor();
      await ana.getByRole("heading", { name: /^20% of new checkouts/ }).waitFor();

      await propose(ana, "50");
      await ana.locator("#sheet-raise .close").click();
      await ben.locator("#withdraw").click();
      await ana.locator(".proposal").waitFor({ state: "detached" });
      expect(await ana.locator("h1").textContent()).toContain("20%");
    } finally {
      await admin.close();
    }
  });

  test("its session ends while the sheet is open: nothing is sent as that person any more, and one signs in again", async () => {
    const admin = await startAdmin({ auth: tokens });
    try {
      const page = await signedIn(admin.url, "operator");
      await page.locator("#roll-back").click();
      await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
      await page.evaluate(async () => {
        const [first] = await (await fetch("api/v1/sessions")).json();
        const { csrf } = await (await fetch("api/v1/session")).json();
        const headers = { "x-csrf-token": csrf };
        await fetch(`api/v1/sessions/${first.handle}/revoke`, { method: "POST", headers });
      });
      await page.locator("#roll-back-now").click();
      await page.getByText("Your session has ended: sign in again.").waitFor();
      const answer = await fetch(`${admin.url}/api/v1/cutovers/checkout`, {
        headers: { authorization: `Bearer ${secrets.viewer}` },
      });
      expect(await answer.json()).toMatchObject({ state: "open", version: 0 });
    } finally {
      await admin.close();
    }
  });

  async function signedIn(url: string, role: "operator" | "admin"): Promise<Page> {
    const page = await visits.open(url);
    await page.locator("#token").fill(secrets[role]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("#roll-back").waitFor();
    await page.locator("#live").waitFor();
    return page;
  }

  async function propose(page: Page, percent: string): Promise<void> {
    await page.locator("#raise").click();
    const sheet = page.locator("#sheet-raise");
    await sheet.getByLabel("Raise to, in percent").fill(percent);
    await sheet.getByLabel("Reason").fill("more");
    await sheet.getByLabel(new RegExp(`^Type ${percent}`)).fill(percent);
    await page.getByRole("button", { name: `Propose ${percent}%`, exact: true }).click();
    await sheet.getByText(`Proposed: ${percent}% waits for another person`).waitFor();
  }
});

/** When the server has last been heard of, as the page has it. */
function serverTimeOf(page: Page): Promise<string> {
  return page.evaluate(() => document.querySelector(".facts time")?.textContent ?? "");
}
