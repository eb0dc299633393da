import type { Clock } from "../../base/clock.ts";
import { createEvaluateHosts } from "./evaluate-hosts.ts";
import type { Evaluator } from "../evaluator.ts";
import { createListHosts } from "./list-hosts.ts";
import type { NixCache } from "./nix-cache.ts";
import { createRunEvaluator, type RunEvaluatorOptions } from "./run-evaluator.ts";
import { createToplevelCheck, type ToplevelCheckOptions } from "./toplevel.ts";

export interface EvaluatorOptions extends RunEvaluatorOptions, ToplevelCheckOptions {
  /** The version of Nix. */
  readonly version: string;
  readonly nixCache: NixCache;
  readonly clock: Clock;
}

export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const common = { ...options, run: createRunEvaluator(options) };
  return {
    listHosts: createListHosts(common),
    evaluate: createEvaluateHosts({ ...common, checkToplevel: createToplevelCheck(options) }),
  };
}
