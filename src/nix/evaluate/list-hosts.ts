// Which hosts a flake has.
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import { startWatchdog } from "../../base/watchdog.ts";
import type { EvaluationFailure, Evaluator, FlakeSource } from "../evaluator.ts";
import { oneLine } from "../words/error-text.ts";
import { deniedHint } from "../words/input-access.ts";
import { listingArguments } from "./evaluation-arguments.ts";
import { createEvaluationLogReader } from "./evaluation-log.ts";
import type { NixCache } from "./nix-cache.ts";
import type { RunEvaluator } from "./run-evaluator.ts";

const Inventory = v.array(v.string());

export interface ListHostsOptions {
  readonly run: RunEvaluator;
  readonly nixCache: NixCache;
  /** The version of Nix. */
  readonly version: string;
  readonly clock: Clock;
}

export function createListHosts({
  run,
  nixCache,
  version: nixVersion,
  clock,
}: ListHostsOptions): Evaluator["listHosts"] {
  return async (source, options, signal) => {
    const args = listingArguments({ source, options, nixVersion });
    async function list(): ReturnType<RunEvaluator> {
      using watchdog = startWatchdog(clock, options.timeoutMs);
      const log = createEvaluationLogReader();
      return await run({ source, args, options, log, overdue: watchdog.overdue }, signal);
    }
    const generation = nixCache.generation();
    let listed = await list();
    const { hasDamagedCache, failure: first } = listed;
    if (hasDamagedCache && (await nixCache.replace(generation, first.message))) listed = await list();
    const { stdout, log, failure } = listed;
    if (log.unknownOverride !== undefined) throw unknownInput(log.unknownOverride, source);
    if (stdout !== undefined) {
      const names = decodeJson(Inventory, stdout);
      if (names !== undefined) return names;
    } else if (log.error !== undefined && lacksConfigurations(log.error.text)) {
      return [];
    }
    const reason = stdout === undefined ? failure : unexpected("the list of hosts");
    if (reason.cause === "denied") throw denied(`the hosts of commit ${source.commit.slice(0, 12)}`, reason);
    throw new HomelabError(
      reason.cause === "infra" ? "unavailable" : "failed",
      `the hosts of commit ${source.commit.slice(0, 12)} cannot be listed: ${reason.message}`,
      { code: "INVENTORY_FAILED", cause: new Error(reason.details) },
    );
  };
}

const denied = (what: string, { message, details }: EvaluationFailure): HomelabError =>
  new HomelabError("refused", `${what} cannot be listed: ${message.replace(`; ${deniedHint}`, "")}`, {
    code: "INPUT_DENIED",
    hint: deniedHint,
    cause: new Error(details),
  });

/** Nix only warns, and evaluates as if nothing had been asked. */
const unknownInput = (input: string, { commit }: FlakeSource): HomelabError =>
  new HomelabError("usage", `the flake has no input ${input} at commit ${commit.slice(0, 12)}`, {
    code: "UNKNOWN_FLAKE_INPUT",
    hint: "an override names an input of the flake itself, as its flake.nix does",
  });

/** Nix ended well and did not say what it was asked for. */
export function unexpected(what: string): EvaluationFailure {
  const message = oneLine(`Nix succeeded without saying what it was asked for: ${what}`);
  return { cause: "infra", message, details: message };
}

/** The words of Nix 2.8 to 2.34. */
const lacksConfigurations = (error: string): boolean =>
  /^flake '[^']*' does not provide attribute .*nixosConfigurations'/.test(error);
