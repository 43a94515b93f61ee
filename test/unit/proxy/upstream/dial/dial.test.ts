/** One bound for all that making a connection takes. */
import { expect, test } from "vitest";
import { createDial } from "../../../../../src/proxy/upstream/dial/dial.ts";
import { startFullListener } from "../../../../support/full-listener.ts";

test.each(["http", "https"])(
  "%s: two silent addresses and a name that takes its time are bounded together",
  async (scheme) => {
    const full = await startFullListener();
    const dial = createDial(new URL(`${scheme}://shop.test:${full.url.port}`), undefined, {
      lookup(_name, _options, done) {
        setTimeout(() => {
          done(null, [
            { address: "127.0.0.1", family: 4 },
            { address: "127.0.0.1", family: 4 },
          ]);
        }, 100);
      },
    });
    const began = performance.now();
    const told = await new Promise((resolve) => {
      dial(500, (error) => resolve(error));
    });
    expect(told).toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    expect(performance.now() - began).toBeGreaterThan(480);
    full.close();
  },
);
