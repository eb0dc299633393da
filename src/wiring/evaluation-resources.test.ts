import { expect, test } from "vitest";
import { decideEvaluationResources } from "./evaluation-resources.ts";

const gib = 1024 ** 3;
const auto = { workers: "auto", maxMemoryMiB: "auto" } as const;

test.each([
  ["much memory: one evaluator for each core", auto, { cores: 4, availableBytes: 64 * gib }, 4, 8],
  ["the cache host: as many as the memory carries", auto, { cores: 4, availableBytes: 8 * gib }, 2, 3.2],
  ["little memory: one evaluator, with a gibibyte at least", auto, { cores: 8, availableBytes: gib }, 1, 1],
  [
    "what is configured is used",
    { workers: 3, maxMemoryMiB: 2048 } as const,
    { cores: 1, availableBytes: gib },
    3,
    2,
  ],
])("%s", (_, settings, machine, workers, memory) => {
  const resources = decideEvaluationResources(settings, machine);
  expect(resources.workers).toBe(workers);
  expect(resources.maxMemoryBytes / gib).toBeCloseTo(memory, 1);
});
