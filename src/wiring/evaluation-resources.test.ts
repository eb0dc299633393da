import { expect, test } from "vitest";
import { decideEvaluationResources } from "./evaluation-resources.ts";

const gib = 1024 ** 3;
const auto = { workers: "auto", maxMemoryMiB: "auto", batchSize: 4 } as const;

test.each([
  ["much memory: one evaluator for each core", auto, { cores: 4, availableBytes: 64 * gib }, 4, 8, 4],
  [
    "8 GiB, all free: two, as many hosts in each as fit",
    auto,
    { cores: 4, availableBytes: 8 * gib },
    2,
    3.2,
    2,
  ],
  ["8 GiB, of which 7 are free: still two", auto, { cores: 2, availableBytes: 7 * gib }, 2, 2.8, 2],
  ["one core: all for one evaluator", auto, { cores: 1, availableBytes: 7 * gib }, 1, 5.6, 4],
  ["4 GiB: one evaluator, host by host", auto, { cores: 4, availableBytes: 3 * gib }, 1, 2.4, 1],
  [
    "little memory: one evaluator, with a gibibyte at least",
    auto,
    { cores: 8, availableBytes: gib },
    1,
    1,
    1,
  ],
  [
    "what is configured is used, and no more hosts at a time than fit",
    { workers: 3, maxMemoryMiB: 2560, batchSize: 4 } as const,
    { cores: 1, availableBytes: gib },
    3,
    2.5,
    2,
  ],
  [
    "nor more than configured",
    { ...auto, batchSize: 2 } as const,
    { cores: 4, availableBytes: 64 * gib },
    4,
    8,
    2,
  ],
])("%s", (_, settings, machine, workers, memory, batchSize) => {
  const resources = decideEvaluationResources(settings, machine);
  expect(resources.workers).toBe(workers);
  expect(resources.maxMemoryBytes / gib).toBeCloseTo(memory, 1);
  expect(resources.batchSize).toBe(batchSize);
});
