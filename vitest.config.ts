import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** They only end what hangs: on a busy machine a second can become a minute. */
const deadlines = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 30_000, interval: 20 } },
};

export default defineConfig({
  test: {
    // Tests with real services mostly wait; vitest's own choice leaves one of two cores idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: "unit",
          // Half of the time went into loading the same modules for each file. Nothing is mocked or kept in modules.
          isolate: false,
          include: [
            "src/**/*.test.ts",
            "test/*.test.ts",
            "test/infra/*.test.ts",
            "test/campaign/**/*.test.ts",
          ],
          ...deadlines,
        },
      },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"], ...deadlines } },
    ],
  },
});
