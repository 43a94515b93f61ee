import { defineConfig } from "vitest/config";

const project = (name: string, extra: { fileParallelism?: boolean; testTimeout?: number } = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 20_000, hookTimeout: 60_000, ...extra },
});

export default defineConfig({
  test: {
    globalSetup: ["test/provision.ts"],
    projects: [
      project("unit"),
      project("property"),
      project("contract"),
      project("wire"),
      project("integration", { fileParallelism: false, testTimeout: 120_000 }),
    ],
  },
});
