// Whether evaluators get the memory that the configuration promises them.
import { availableParallelism, totalmem } from "node:os";
import type { BuilderSettings } from "../../config/builder-schema.ts";
import { decideEvaluationResources } from "../../wiring/evaluation-resources.ts";
import { formatBytes } from "../../words/duration.ts";
import { ok, warning, wrong, type Finding } from "./finding.ts";

export interface Memory {
  readonly cores: number;
  readonly availableBytes: number;
  /** The memory in bytes of this machine, or of the service where that has a limit. */
  readonly totalBytes: number;
}

export function memoryOfMachine(): Memory {
  const limit = process.constrainedMemory();
  const total = totalmem();
  return {
    cores: availableParallelism(),
    availableBytes: process.availableMemory(),
    totalBytes: limit > 0 && limit < total ? limit : total,
  };
}

export function judgeMemory(settings: BuilderSettings["evaluation"], memory: Memory): Finding {
  const check = "evaluator memory";
  const { workers, maxMemoryBytes } = decideEvaluationResources(settings, memory);
  const each = formatBytes(maxMemoryBytes);
  const there = formatBytes(memory.totalBytes);
  if (maxMemoryBytes > memory.totalBytes) {
    const advice =
      settings.maxMemoryMiB === "auto"
        ? "evaluating a NixOS host takes about 2 GiB: give this machine more memory"
        : "set builder.evaluation.maxMemoryMiB to less, or leave it out";
    return wrong(check, `an evaluator may take ${each}, and there are ${there} in all`, advice);
  }
  if (workers * maxMemoryBytes > memory.totalBytes) {
    const message = `${workers} evaluators may take ${each} each, and there are ${there} in all`;
    return warning(
      check,
      message,
      "set fewer builder.evaluation.workers or a smaller maxMemoryMiB, or leave both out",
    );
  }
  return ok(check, `${workers} ${workers === 1 ? "evaluator" : "evaluators"} of up to ${each}, of ${there}`);
}
