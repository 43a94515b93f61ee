import { Registry } from "prom-client";
import { afterAll, expect, test } from "vitest";
import { addCertificateMetrics } from "../../../src/telemetry/certificate-metrics.ts";
import { createAuthority } from "../../support/certificates.ts";

const authority = createAuthority();
afterAll(() => authority.remove());

test("the end of each listener's certificate is told, of several the first to end, and none that cannot be read", async () => {
  const registry = new Registry();
  const [long, short] = [authority.issue("long", undefined, 30), authority.issue("short", undefined, 3)];
  addCertificateMetrics(registry, () => [
    { usedBy: "proxy", path: long.cert },
    { usedBy: "proxy", path: short.cert },
    { usedBy: "upstream shop", path: long.cert },
    { usedBy: "admin", path: `${long.cert}.gone` },
  ]);
  const page = await registry.metrics();
  const days = [...page.matchAll(/_seconds\{used_by="([^"]+)"\} (\d+)/g)].map(([, usedBy, seconds]) => [
    usedBy,
    Math.round((Number(seconds) - Date.now() / 1000) / 86_400),
  ]);
  expect(days).toEqual([
    ["proxy", 3],
    ["upstream shop", 30],
  ]);
});
