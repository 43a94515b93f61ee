/**
 * The console in a real browser, before three real instances on one Redis under load: a person with a phone rolls back in
 * two taps, and requests prove it; without the script, with calls that fail, and with a stream that falls silent.
 */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { seriesView } from "../../src/admin/api/series/series-view.ts";
import { accepted } from "../support/admin-api.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { launchChromium } from "../support/chromium.ts";
import {
  changesOf,
  hiddenAt,
  overflowOf,
  phone,
  seriousOf,
  smallPhone,
  visitsOf,
} from "../support/console-page.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type Load, startLoad } from "../support/kept-load.ts";
import { visitAll } from "../support/traffic.ts";
import { eventually } from "../support/until.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const shoppers = Array.from({ length: 60 }, (_, number) => `shopper-${number}`);

const isWhole = ({ instances }: { readonly instances: number }) => instances === 3;

let browser: Browser;
let fleet: Fleet;
let load: Load;
const visits = visitsOf(() => browser);

beforeAll(async () => {
  [browser, fleet] = await Promise.all([launchChromium(), startFleet()]);
  load = startLoad(fleet.members[0].served.proxy, { perSecond: 40 });
});
beforeEach(async () => {
  const [{ api }] = fleet.members;
  await api.call("resume");
  accepted(await api.set(10));
});
afterEach(() => visits.leave());
afterAll(async () => {
  await load?.stop();
  await browser?.close();
  await fleet?.stop();
});

/** On the first instance's console, unless told otherwise. */
function open(
  options: BrowserContextOptions = {},
  query = "",
  url = fleet.members[0].served.admin,
): Promise<Page> {
  return visits.open(`${url}/${query}`, options);
}

/** Whom real requests reach now, through every instance. */
async function sidesOfAll(): Promise<ReadonlySet<string>> {
  const visits = await Promise.all(fleet.members.map(({ shop }) => visitAll(shop, shoppers, 4)));
  return new Set(visits.flat().map(({ side }) => String(side)));
}

describe("a rollback", () => {
  test("takes two taps on a phone, is said step by step, and real requests prove it", async () => {
    expect(await sidesOfAll()).toEqual(new Set(["legacy", "new"]));
    const page = await open(phone);
    const changes = changesOf(page);
    await page.locator("#roll-back").tap();
    await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
    const first = await page.locator("#roll-back").boundingBox();
    const second = await page.locator("#roll-back-now").boundingBox();
    expect(Math.abs((first?.y ?? 0) - (second?.y ?? 0))).toBeGreaterThanOrEqual(64);
    const begunAt = performance.now();
    await page.locator("#roll-back-now").tap();
    const notice = page.locator("#sheet-rollback .notice");
    await notice.waitFor();
    const ms = performance.now() - begunAt;
    expect(await notice.textContent()).toMatch(
      /Committed as v\d+ \(\d[\d.]* s\).*Applied on 3\/3 instances \(\d/,
    );
    expect(ms).toBeLessThanOrEqual(3000);
    expect(changes).toEqual(["/api/v1/cutovers/checkout/rollback"]);
    expect(await sidesOfAll()).toEqual(new Set(["legacy"]));
    await page.locator("#sheet-rollback .close").tap();
    await page.locator(".state.rolled_back").waitFor();
    expect(visits.troubles()).toEqual([]);
  });

  test("works without JavaScript: the form posts, and the answer is a page", async () => {
    const page = await open({ ...phone, javaScriptEnabled: false });
    await page.locator("#roll-back").tap();
    await page.locator("#sheet-rollback[open]").waitFor();
    await page.getByText("Errors up").tap();
    await page.locator("#roll-back-now").tap();
    await page.locator(".notice.done").waitFor();
    expect(await page.locator(".notice").textContent()).toMatch(/Committed as v\d+.*Applied on 3\/3/);
    expect(await page.locator("h1").textContent()).toBe("0% of new checkouts go to marketplace");
    expect((await fleet.members[1].api.view()).reason).toBe("Errors up");
    expect(await sidesOfAll()).toEqual(new Set(["legacy"]));
  });

  test("is sent once, however often it is tapped, and not by the tap that opened the sheet", async () => {
    const page = await open(phone);
    const changes = changesOf(page);
    /** So many taps at once, whichever way the machine is slow. */
    const tap = (...ids: string[]) =>
      page.evaluate((all) => {
        for (const id of all) document.getElementById(id)?.click();
      }, ids);
    await tap("roll-back", "roll-back", "roll-back-now");
    await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
    expect(changes).toEqual([]);
    await tap("roll-back-now", "roll-back-now");
    await page.locator("#sheet-rollback .notice").waitFor();
    expect(changes).toHaveLength(1);
  });

  test.runIf(isFull)("that the API does not take says so, keeps the sheet, and is tried again", async () => {
    const page = await open(phone, "?intent=rollback");
    expect((await fleet.members[0].api.view()).percent).toBe(10);
    await page.route("**/rollback", (route) => route.abort(), { times: 1 });
    await page.locator("#roll-back-now:not([aria-disabled=true])").tap();
    const alert = page.locator("#sheet-rollback [role=alert]");
    await alert.waitFor();
    expect(await alert.textContent()).toContain("Not applied. The admin API did not answer.");
    expect(await alert.textContent()).toContain("cutover rollback checkout");
    await page.getByRole("button", { name: "Try again" }).tap();
    await page.locator("#sheet-rollback .notice.done").waitFor();
    expect(await sidesOfAll()).toEqual(new Set(["legacy"]));
  });

  test.runIf(isFull)("is done by the keyboard alone, and the focus goes back to where it was", async () => {
    const page = await open();
    await page.keyboard.press("Shift+R");
    await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#sheet-rollback:not([open])").waitFor({ state: "attached" });
    await page.locator("#roll-back").focus();
    await page.keyboard.press("Enter");
    await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("roll-back-now");
    await page.keyboard.press("Enter");
    await page.locator("#sheet-rollback .notice.done").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("roll-back");
  });
});

describe("other changes", () => {
  test.runIf(isFull)("a hold is one tap, seen by another page within a second, and undone", async () => {
    const [page, other] = await Promise.all([open(phone), open({}, "", fleet.members[1].served.admin)]);
    await page.locator("#hold").tap();
    const tappedAt = performance.now();
    await other.locator(".state.held").waitFor();
    expect(performance.now() - tappedAt).toBeLessThanOrEqual(1000);
    await page.getByRole("button", { name: "Undo" }).tap();
    await other.locator(".state.open").waitFor();
    expect((await fleet.members[2].api.view()).reason).toBe("undone");
  });

  test("a raise asks for a reason and the number, and names the version it was reviewed on", async () => {
    const page = await open();
    await page.locator("#raise").click();
    await page.locator("#sheet-raise").getByLabel("Reason").fill("step 3");
    await page.locator("#raise-now").click();
    expect((await fleet.members[0].api.view()).percent).toBe(10);
    await page
      .locator("#sheet-raise")
      .getByLabel(/^Type 25/)
      .fill("25");
    accepted(await fleet.members[1].api.set(12));
    await page.locator("#sheet-raise .warning").waitFor();
    expect(await page.locator("#sheet-raise .warning").textContent()).toMatch(
      /^Changed by anonymous to 12% \(v\d+\)\. Review again\.$/,
    );
    await page.locator("#raise-now").click({ force: true });
    expect((await fleet.members[0].api.view()).percent).toBe(12);
    await page.locator("#sheet-raise .close").click();
    await page.locator("#raise").click();
    await page.locator("#sheet-raise").getByLabel("Reason").fill("step 3");
    await page
      .locator("#sheet-raise")
      .getByLabel(/^Type 25/)
      .fill("25");
    await page.locator("#raise-now").click();
    await page.locator("#sheet-raise .notice.done").waitFor();
    expect(await fleet.members[2].api.view()).toMatchObject({ percent: 25, reason: "step 3" });
  });
});

describe("how old it is", () => {
  test.runIf(isFull)(
    "is said when nothing comes, whatever the connection looks like, and rolling back stays",
    async () => {
      const { served } = fleet.members[2];
      const page = await open(phone, "", served.admin);
      served.signal("SIGSTOP");
      try {
        await page.locator(".chip.delayed").waitFor();
        expect(await page.locator("#live").textContent()).toMatch(/Delayed, \d+ s old/);
        expect(await page.locator("#raise").textContent()).toBe("No raise: data is old");
        if (isFull) {
          await page.locator(".chip.stale").waitFor();
          expect(await page.locator("#verdict").textContent()).toMatch(/\?Unknown: data is \d+ s old/);
        }
        await page.locator("#roll-back").tap();
        // It is dead for its first moments, whatever the data's age, and then it is not.
        await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
      } finally {
        served.signal("SIGCONT");
      }
      await page.locator(".chip.live").waitFor();
    },
  );
});

describe("who may", () => {
  test.runIf(isFull)(
    "a token is traded for a session; a viewer has nothing to tap; an ended session asks again",
    async () => {
      const admin = await startAdmin({ auth: tokens });
      try {
        const page = await open({}, "", admin.url);
        await page.locator("#token").fill("wrong");
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByText("Not signed in: the token is not known").waitFor();
        await page.locator("#token").fill(` ${secrets.viewer} `);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.locator(".who").waitFor();
        expect(new URL(page.url()).pathname).toMatch(/^\/s\/[\w-]{22}\/$/);
        expect(await page.locator(".who .name").textContent()).toBe("viewer-token");
        expect(await page.locator("#roll-back, #hold, #raise").count()).toBe(0);
        await page.goto(`${admin.url}/`);
        await page.locator(".who").waitFor();
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.locator("#sign-in").waitFor();
        expect(await page.context().cookies()).toEqual([]);

        await page.locator("#token").fill(secrets.responder);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.locator("#roll-back").waitFor();
        await page.locator("#hold").click();
        await page.locator(".state.held").waitFor();
        expect(await page.getByRole("button", { name: "Undo" }).count()).toBe(0);
        await page.locator("#roll-back").click();
        await page.locator("#roll-back-now:not([aria-disabled=true])").click();
        await page.locator("#sheet-rollback .notice.done").waitFor();
        const handle = await page.evaluate(async () => {
          const [first] = await (await fetch("api/v1/sessions")).json();
          const { csrf } = await (await fetch("api/v1/session")).json();
          const headers = { "x-csrf-token": csrf };
          await fetch(`api/v1/sessions/${first.handle}/revoke`, { method: "POST", headers });
          return first.handle;
        });
        expect(handle).toMatch(/./);
        await page.getByText("Your session has ended: sign in again.").waitFor();
      } finally {
        await admin.close();
      }
    },
  );

  test.runIf(isFull)("a form with a session's cookie and without its token changes nothing", async () => {
    const admin = await startAdmin({ auth: tokens });
    try {
      const page = await open({}, "", admin.url);
      await page.locator("#token").fill(secrets.operator);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("#roll-back").waitFor();
      const act = (csrf: string | null) =>
        page.evaluate(async (token) => {
          const { csrf: own } = await (await fetch("api/v1/session")).json();
          const body = new URLSearchParams({ action: "hold", cutover: "checkout", csrf: token ?? own });
          return (await fetch("act", { method: "POST", body })).status;
        }, csrf);
      expect(await act("forged")).toBe(403);
      await page.locator(".state.open").waitFor();
      expect(await act(null)).toBe(200);
      await page.locator(".state.held").waitFor();
    } finally {
      await admin.close();
    }
  });
});

test.runIf(isFull)("the figures of the fleet are the same on every instance, and are charted", async () => {
  // Steps of 10 s: one is whole at once on each instance, a minute grows, and lacks what was before the instance's start.
  const since30m = new Date(Date.now() - 1_800_000).toISOString();
  const points = async (member: number) => {
    const { admin } = fleet.members[member]?.served ?? {};
    const answer = await fetch(`${admin}/api/v1/cutovers/checkout/series?since=${since30m}`);
    return seriesView.parse(await answer.json()).points;
  };
  await eventually("a step of all three", async () => (await points(0)).some(isWhole), 30_000);
  const since = (await points(0)).filter(isWhole).at(0)?.at ?? "";
  const told = async (member: number) => (await points(member)).find(({ at }) => at === since);
  await eventually("the other has it too", async () => (await told(1)) !== undefined, 5000);
  // What is in flight is told as of when each has looked.
  const counted = (point: Awaited<ReturnType<typeof told>>) =>
    point && [point.legacy, point.new].map(({ inFlight: _, ...side }) => side);
  expect(counted(await told(1))).toEqual(counted(await told(0)));
  const page = await open();
  await page.locator("#charts canvas").first().waitFor();
  await page.getByRole("button", { name: "Show as table" }).click();
  expect(await page.locator("table.numbers tbody tr").count()).toBeGreaterThan(0);
  expect(visits.troubles()).toEqual([]);
});

describe("for everybody", () => {
  test.each([["320×568", smallPhone], ...(isFull ? [["390×844", phone] as const] : [])] as const)(
    "on %s the way to roll back is in view and on top wherever one scrolls",
    async (_, options) => {
      const page = await open(options);
      expect(await hiddenAt(page, "#roll-back", isFull ? 50 : 400)).toEqual([]);
      expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    },
  );

  const sheets = [undefined, "rollback", "raise"] as const;
  const looks = [["light", { colorScheme: "light" }]] as const;
  const others = [
    ["dark", { colorScheme: "dark" }],
    ["forced colours", { forcedColors: "active" }],
    ["at 200%", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
    ["in Indonesian", { locale: "id-ID", timezoneId: "Asia/Jakarta" }],
  ] as const;
  test.each<readonly [string, BrowserContextOptions]>(isFull ? [...looks, ...others] : looks)(
    "axe finds nothing serious, %s",
    async (_, options) => {
      const page = await open(options);
      for (const sheet of isFull ? sheets : sheets.slice(0, 2)) {
        if (sheet === "rollback") await page.locator("#roll-back").click();
        if (sheet === "raise") await page.locator("#raise").click();
        expect(await seriousOf(page), sheet).toEqual([]);
        if (sheet !== undefined) await page.keyboard.press("Escape");
      }
      expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    },
  );
});
