import type { BuilderSettings } from "../config/schema.ts";

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

/** What an evaluator of one real NixOS host needs, also of one with a container (docs/benchmarks.md). */
const firstHostBytes = 1.75 * gibibyte;
/** What each further host of the same process adds to it. */
const furtherHostBytes = 0.75 * gibibyte;
/** Two hosts: an evaluator with less would load nixpkgs anew for each. */
const usualBytes = firstHostBytes + furtherHostBytes;
/** Of what is free, so much is for evaluators: the rest is for builds, the builder itself, and what else grows. */
const share = 0.8;

export interface Machine {
  readonly cores: number;
  /** Free memory, with what the kernel would give back. */
  readonly availableBytes: number;
}

export interface EvaluationResources {
  readonly workers: number;
  readonly maxMemoryBytes: number;
  /** Hosts for one evaluator at most. One that needs too much memory for all of them has worked for nothing. */
  readonly batchSize: number;
}

/** As many evaluators as cores, as far as each of them can have the memory that a host usually needs. */
export function decideEvaluationResources(
  {
    workers,
    maxMemoryMiB,
    batchSize,
  }: Pick<BuilderSettings["evaluation"], "workers" | "maxMemoryMiB" | "batchSize">,
  { cores, availableBytes }: Machine,
): EvaluationResources {
  const usable = availableBytes * share;
  const needed = maxMemoryMiB === "auto" ? usualBytes : maxMemoryMiB * mebibyte;
  const count = workers === "auto" ? Math.max(1, Math.min(cores, Math.floor(usable / needed))) : workers;
  const each = Math.max(gibibyte, Math.min(8 * gibibyte, Math.floor(usable / count)));
  const maxMemoryBytes = maxMemoryMiB === "auto" ? each : needed;
  const fitting = 1 + Math.floor((maxMemoryBytes - firstHostBytes) / furtherHostBytes);
  return { workers: count, maxMemoryBytes, batchSize: Math.max(1, Math.min(batchSize, fitting)) };
}
