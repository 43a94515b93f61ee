/**
 * A process that logs to standard output as the proxy does; the tests of log.ts and log-file.ts start it.
 * argv: what to do. What it has to say beside the log goes to standard error, as JSON.
 */

import { accessLog, createLog } from "../../../src/telemetry/log.ts";
import { createLogFile } from "../../../src/telemetry/log-file.ts";
import { recordOf } from "../../support/exchange-record.ts";

const lines = createLogFile({ fd: 1, maxBytes: 256 * 1024 });
const log = createLog({ level: "info", destination: lines });
const access = accessLog({ destination: lines, enabled: true });

function requests(from: number, to: number): void {
  for (let n = from; n < to; n++) {
    const record = recordOf({
      side: "new",
      reason: "bucket",
      status: 200,
      endedAt: 1001.5,
      requestId: `${n}`,
    });
    access.settled?.(record, "ok");
  }
}

function tell(): void {
  process.stderr.write(`${JSON.stringify({ dropped: lines.dropped() })}\n`);
}

switch (process.argv[2]) {
  case "serve": {
    const alive = setInterval(() => undefined, 1000);
    process.once("SIGTERM", async () => {
      requests(0, 100);
      log.info("stopped");
      await lines.end();
      clearInterval(alive);
    });
    log.info({ proxy: "http://127.0.0.1:1" }, "ready");
    break;
  }
  case "exit":
    requests(0, 100);
    log.info("last");
    requests(100, 200);
    process.exit(0);
    break;
  case "throw":
    requests(0, 10);
    throw new Error("broken");
  case "until-dropped": {
    let n = 0;
    const timer = setInterval(() => {
      requests(n, n + 10);
      n += 10;
      if (lines.dropped() === 0) return;
      clearInterval(timer);
      log.info("into nothing");
      tell();
    }, 5);
    break;
  }
  case "flood":
    // 200,000 lines of about 200 bytes, in turns of the event loop.
    for (let n = 0; n < 200_000; n += 1000) {
      requests(n, n + 1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    tell();
    await lines.end(60_000);
    break;
}
