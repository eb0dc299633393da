import { expect, test } from "vitest";
import { decideEvaluationResources } from "./evaluation-resources.ts";

const gib = 1024 ** 3;
const auto = { workers: "auto", maxMemoryMiB: "auto" } as const;

test.each([
  ["much memory: one evaluator for each core", auto, { cores: 4, availableBytes: 64 * gib }, 4, 8, 1.75],
  ["16 GiB, of which 15 are free: two", auto, { cores: 2, availableBytes: 15 * gib }, 2, 6, 1.75],
  ["8 GiB, all free: two", auto, { cores: 4, availableBytes: 8 * gib }, 2, 3.2, 1.75],
  ["8 GiB, of which 7 are free: still two", auto, { cores: 2, availableBytes: 7 * gib }, 2, 2.8, 1.75],
  ["one core: all for one evaluator", auto, { cores: 1, availableBytes: 7 * gib }, 1, 5.6, 1.75],
  ["4 GiB: one evaluator", auto, { cores: 4, availableBytes: 3 * gib }, 1, 2.4, 1.68],
  ["little memory: one, with a gibibyte at least", auto, { cores: 8, availableBytes: gib }, 1, 1, 0.7],
  [
    "what is configured is used",
    { workers: 3, maxMemoryMiB: 2048 } as const,
    { cores: 1, availableBytes: gib },
    3,
    2,
    1.4,
  ],
  [
    "what is configured is not there",
    { workers: 2, maxMemoryMiB: 16_384 } as const,
    { cores: 2, availableBytes: 8 * gib },
    2,
    16,
    1.75,
  ],
])("%s", (_, settings, machine, workers, memory, full) => {
  const resources = decideEvaluationResources(settings, machine);
  expect(resources.workers).toBe(workers);
  expect(resources.maxMemoryBytes / gib).toBeCloseTo(memory, 1);
  expect(resources.initialHeapBytes / gib).toBeLessThanOrEqual(Math.max(1, machine.availableBytes / gib));
  expect(resources.initialHeapBytes).toBeLessThanOrEqual(resources.maxMemoryBytes);
  expect(resources.fullBytes / gib).toBeCloseTo(full, 2);
});
