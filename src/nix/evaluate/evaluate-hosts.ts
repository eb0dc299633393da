// One evaluator process that takes hosts one after the other, and what is found of each.
import { jsonOrNothing } from "../../base/json.ts";
import type { HostName } from "../../protocol/names.ts";
import type { EvaluationEvent, EvaluationFailure, Evaluator } from "../evaluator.ts";
import { fittingHosts, type EvaluationTarget } from "./evaluation-arguments.ts";
import { boundedWarnings } from "./evaluation-warnings.ts";
import { hearEvaluator, type HearOptions } from "./hear-evaluator.ts";
import { unexpected } from "./list-hosts.ts";
import type { NixCache } from "./nix-cache.ts";
import type { Evaluated } from "./run-evaluator.ts";
import type { CheckToplevel } from "./toplevel.ts";

export interface EvaluateHostsOptions extends HearOptions {
  readonly nixCache: NixCache;
  /** The version of Nix. */
  readonly version: string;
  readonly checkToplevel: CheckToplevel;
}

export function createEvaluateHosts(given: EvaluateHostsOptions): Evaluator["evaluate"] {
  const { nixCache, version: nixVersion, checkToplevel } = given;

  /**
   * Gives the hosts to evaluate again: where what Nix had cached was damaged and is dropped, and where warnings keep a
   * host from saying why it fails; it then is among the quiet.
   */
  async function* evaluateOnce(
    target: EvaluationTarget,
    hosts: readonly HostName[],
    quiet: Set<HostName>,
    signal: AbortSignal,
  ): AsyncGenerator<EvaluationEvent, readonly HostName[]> {
    const generation = nixCache.generation();
    await using evaluator = hearEvaluator(given, target, hosts, quiet, signal);
    /** The place of the host that it has come to, or of the first that it has not. */
    let at = 0;
    let current: HostName | undefined;
    for await (const said of evaluator.heard) {
      if (said.type === "begun") {
        if (said.index === 0 && said.ignoredSettings.length > 0)
          yield { type: "ignored-settings", settings: said.ignoredSettings };
        // Whatever was lost of the host before, it is not forgotten.
        const lost = hosts.slice(at, said.index);
        if (lost.length > 0) yield { type: "failed", hosts: lost, failure: unexpectedOf(lost) };
        at = said.index;
        current = hosts[at];
        if (current !== undefined) yield { type: "begun", host: current };
      } else if (said.type === "result" && current !== undefined) {
        const host = current;
        current = undefined;
        at++;
        const heldBytes = await evaluator.heldBytes();
        const checked = await checkToplevel(jsonOrNothing(said.json));
        const warnings = boundedWarnings(said.warnings);
        yield checked.type === "evaluated"
          ? { type: "evaluated", host, evaluation: { ...checked.evaluation, warnings }, heldBytes }
          : { type: "failed", hosts: [host], failure: withWarnings(checked.failure, warnings) };
      } else if (said.type === "ended") {
        const { how } = said;
        const left = hosts.slice(at);
        if (how.hasDamagedCache && (await nixCache.replace(generation, how.failure.message))) return left;
        if (how.log.endedInWarnings && current !== undefined && !quiet.has(current)) {
          quiet.add(current);
          return left;
        }
        const end = endOf(how, { left, current, isFirst: at === 0 });
        if (end !== undefined) yield end;
      }
    }
    return [];
  }

  return async function* evaluate(source, hosts, options, signal) {
    let left = fittingHosts(hosts);
    const quiet = new Set<HostName>();
    const target = { source, options, nixVersion };
    while (left.length > 0) left = yield* evaluateOnce(target, left, quiet, signal);
  };
}

interface Unjudged {
  readonly left: readonly HostName[];
  /** What it had come to. */
  readonly current: HostName | undefined;
  /** Whether that was the first host of the process, or would have been. */
  readonly isFirst: boolean;
}

/** What the end of an evaluator says about the hosts that it gave no result of; undefined where there are none. */
function endOf(
  { stdout, log, failure, wasKilled }: Evaluated,
  { left, current, isFirst }: Unjudged,
): EvaluationEvent | undefined {
  if (left.length === 0) return undefined;
  if (stdout !== undefined) {
    return { type: "failed", hosts: left, failure: unexpectedOf(left) };
  }
  // What is wrong before the first host begins is wrong for all of them.
  if (current === undefined && isFirst) return { type: "failed", hosts: left, failure };
  const host = current ?? left[0];
  if (host === undefined) return undefined;
  // It may have been too much only together with what the process held already.
  const isOfAll = wasKilled || failure.cause === "out-of-memory";
  return isOfAll && !isFirst
    ? { type: "undecided", host, reason: failure.message }
    : { type: "failed", hosts: [host], failure: withWarnings(failure, boundedWarnings(log.warnings)) };
}

const unexpectedOf = (hosts: readonly HostName[]): EvaluationFailure =>
  unexpected(`what ${hosts.join(", ")} evaluates to`);

const withWarnings = (failure: EvaluationFailure, warnings: readonly string[]): EvaluationFailure =>
  warnings.length === 0 ? failure : { ...failure, warnings };
