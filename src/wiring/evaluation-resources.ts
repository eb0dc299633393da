import type { BuilderSettings } from "../config/builder-schema.ts";

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

/** What an evaluator of two real NixOS hosts holds, of which nothing is collected (docs/internals/benchmarks.md). */
const usualBytes = 2.5 * gibibyte;
/**
 * One with so much has evaluated two of them, and is replaced before the third. Twice as much would save the 5 % of CPU that it
 * costs to start over, for twice the memory (docs/internals/benchmarks.md).
 */
const usualFullBytes = 1.75 * gibibyte;
/** At most, where less is free than one needs who never collects: what it then has to collect needs some room. */
const mostFull = 0.7;
/** The share of free memory for evaluators; the rest is for builds, the builder itself, and whatever else grows. */
const share = 0.8;

export interface Machine {
  readonly cores: number;
  /** Free memory, with what the kernel would give back. */
  readonly availableBytes: number;
}

export interface EvaluationResources {
  readonly workers: number;
  readonly maxMemoryBytes: number;
  /** The part of it that is free now: nothing is collected below that. */
  readonly initialHeapBytes: number;
  /** An evaluator that holds so much between two hosts is replaced, where that costs little. */
  readonly fullBytes: number;
}

/** As many evaluators as cores, as far as each of them can have the memory that hosts usually need. */
export function decideEvaluationResources(
  { workers, maxMemoryMiB }: Pick<BuilderSettings["evaluation"], "workers" | "maxMemoryMiB">,
  { cores, availableBytes }: Machine,
): EvaluationResources {
  const usable = availableBytes * share;
  const needed = maxMemoryMiB === "auto" ? usualBytes : maxMemoryMiB * mebibyte;
  const count = workers === "auto" ? Math.max(1, Math.min(cores, Math.floor(usable / needed))) : workers;
  const each = Math.max(gibibyte, Math.min(8 * gibibyte, Math.floor(usable / count)));
  const maxMemoryBytes = maxMemoryMiB === "auto" ? each : needed;
  const initialHeapBytes = Math.min(maxMemoryBytes, each);
  return {
    workers: count,
    maxMemoryBytes,
    initialHeapBytes,
    fullBytes: Math.min(usualFullBytes, mostFull * maxMemoryBytes),
  };
}
