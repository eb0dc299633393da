import { expect, test } from "vitest";
import { judgeMemory } from "./check-memory.ts";

const gibibyte = 1024 ** 3;
const machine = { cores: 4, availableBytes: 12 * gibibyte, totalBytes: 16 * gibibyte };
const automatic = { workers: "auto", maxMemoryMiB: "auto", batchSize: 1000, timeoutSeconds: 900 } as const;

test.each([
  ["what is decided by itself", automatic, machine, "ok", ""],
  ["more than there is", { ...automatic, maxMemoryMiB: 65_536 }, machine, "wrong", "maxMemoryMiB to less"],
  ["too many of them", { ...automatic, workers: 8, maxMemoryMiB: 4096 }, machine, "warning", "fewer"],
  ["a small machine", automatic, { cores: 1, availableBytes: 2e8, totalBytes: 5e8 }, "wrong", "more memory"],
] as const)("%s", (_, settings, memory, state, advice) => {
  const finding = judgeMemory(settings, memory);
  expect(finding.state).toBe(state);
  expect(finding.hint ?? "").toContain(advice);
});
