import type { BuilderSettings } from "../config/schema.ts";

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

/** What evaluating one NixOS host usually needs; some need twice as much. */
const usualBytes = 3 * gibibyte;
/** Of what is free, so much is for evaluators. */
const share = 0.8;

export interface Machine {
  readonly cores: number;
  /** Free memory, with what the kernel would give back. */
  readonly availableBytes: number;
}

export interface EvaluationResources {
  readonly workers: number;
  readonly maxMemoryBytes: number;
}

/** As many evaluators as cores, as far as each of them can have the memory that a host usually needs. */
export function decideEvaluationResources(
  { workers, maxMemoryMiB }: Pick<BuilderSettings["evaluation"], "workers" | "maxMemoryMiB">,
  { cores, availableBytes }: Machine,
): EvaluationResources {
  const usable = availableBytes * share;
  const needed = maxMemoryMiB === "auto" ? usualBytes : maxMemoryMiB * mebibyte;
  const count = workers === "auto" ? Math.max(1, Math.min(cores, Math.floor(usable / needed))) : workers;
  const each = Math.max(gibibyte, Math.min(8 * gibibyte, Math.floor(usable / count)));
  return { workers: count, maxMemoryBytes: maxMemoryMiB === "auto" ? each : needed };
}
