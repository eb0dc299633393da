import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import type { HostName } from "../../protocol/names.ts";
import type { Exec } from "../../process/exec.ts";
import { makeBuildDirectory, removeBuildDirectory } from "../realise/build-directory.ts";
import { batchArguments, listingArguments, singleArguments } from "./evaluation-arguments.ts";
import { deniedHint } from "../words/input-access.ts";
import { oneLine } from "../words/error-text.ts";
import { boundedWarnings } from "./evaluation-warnings.ts";
import { evaluationFailure } from "./evaluation-failure.ts";
import { createEvaluationLogReader, type EvaluationLog } from "./evaluation-log.ts";
import { openToAll, withInputAccess, type InputAccess, type OpenInputs } from "../input-access.ts";
import type { NixCache } from "./nix-cache.ts";
import { saysDamagedGitObjects } from "../words/git-object-error.ts";
import type { Environment } from "../nix-environment.ts";
import type {
  EvaluationFailure,
  EvaluationOptions,
  FlakeSource,
  HostEvaluation,
  Evaluator,
} from "../evaluator.ts";
import { createToplevelCheck, type ToplevelCheckOptions } from "./toplevel.ts";

const maxStdoutBytes = 16 * 1024 * 1024;
/** Nix's own default, said so that it is never more than the bound. A smaller one costs 5 % more CPU. */
const initialHeapBytes = 384 * 1024 * 1024;
/** An evaluator in a loop does not see SIGTERM, and has nothing to put in order. */
const graceMs = 1_000;
/** With import from derivation it may have builders to end, which only it can do. */
const buildingGraceMs = 10_000;

const Inventory = v.array(v.string());
/** What is said of a host is checked one by one: null when it threw. */
const Results = v.array(v.object({ host: v.string(), result: v.unknown() }));

export interface EvaluatorOptions extends ToplevelCheckOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly inputAccess?: InputAccess;
  /** Of Nix. */
  readonly version: string;
  /** Where evaluators that may build get a directory of their own: see `makeBuildDirectory`. */
  readonly buildsDirectory: string;
  /** See `countOutOfMemoryKills`. */
  readonly outOfMemoryKills: () => Promise<number>;
  readonly nixCache: NixCache;
}

interface Evaluated {
  /** Undefined when the evaluator failed. */
  readonly stdout: string | undefined;
  readonly log: EvaluationLog;
  readonly failure: EvaluationFailure;
}

export function createEvaluator({
  exec,
  environment,
  inputAccess = openToAll,
  version: nixVersion,
  buildsDirectory,
  outOfMemoryKills,
  nixCache,
  readDerivation,
  storeDirectory,
}: EvaluatorOptions): Pick<Evaluator, "listHosts" | "evaluate"> {
  const checkToplevel = createToplevelCheck({ readDerivation, storeDirectory });

  /** A second time where a power cut has left Nix's clones of git repositories damaged, which it does not mend itself. */
  async function run(
    source: FlakeSource,
    args: readonly string[],
    options: EvaluationOptions,
    signal: AbortSignal,
    token?: string,
  ): Promise<Evaluated> {
    const before = nixCache.generation();
    const evaluated = await runOnce(source, args, options, signal, token);
    const { stdout, log, failure } = evaluated;
    if (stdout !== undefined || failure.cause !== "infra") return evaluated;
    if (!saysDamagedGitObjects(log.error?.text ?? "", log.plainLines)) return evaluated;
    await nixCache.drop(failure.message);
    return nixCache.generation() > before ? runOnce(source, args, options, signal, token) : evaluated;
  }

  async function runOnce(
    source: FlakeSource,
    args: readonly string[],
    options: EvaluationOptions,
    signal: AbortSignal,
    token?: string,
  ): Promise<Evaluated> {
    const { mirror, overrides = [] } = source;
    const inputs = await inputAccess.open([mirror, ...overrides.map((override) => override.mirror)]);
    await using builds = options.allowImportFromDerivation
      ? await openBuildDirectory(buildsDirectory)
      : undefined;
    const reader = createEvaluationLogReader(token);
    const killsBefore = await outOfMemoryKills();
    const running = exec("nix", args, {
      env: {
        ...withInputAccess(environment, inputs),
        GC_INITIAL_HEAP_SIZE: String(Math.min(initialHeapBytes, options.maxMemoryBytes)),
        GC_MAXIMUM_HEAP_SIZE: String(options.maxMemoryBytes),
        ...(builds !== undefined && { TMPDIR: builds.path }),
      },
      cwd: "/",
      signal,
      timeoutMs: options.timeoutMs,
      graceMs: options.allowImportFromDerivation ? buildingGraceMs : graceMs,
      maxStdoutBytes,
      ownedDirectory: builds?.path,
      onStderr: (chunk) => reader.write(chunk),
    });
    const result = await running.catch(unlessTooLarge);
    const log = reader.end();
    if (result === undefined) return { stdout: undefined, log, failure: tooLarge };
    const kills = (await outOfMemoryKills()) - killsBefore;
    const end = { result, log, outOfMemoryKills: kills, limits: options };
    const succeeded = result.exitCode === 0 && !result.timedOut;
    return {
      stdout: succeeded ? result.stdout : undefined,
      log,
      failure: cleaned(evaluationFailure(end), inputs),
    };
  }

  return {
    async listHosts(source, options, signal) {
      const { stdout, log, failure } = await run(
        source,
        listingArguments({ source, options, nixVersion }),
        options,
        signal,
      );
      if (log.unknownOverride !== undefined) throw unknownInput(log.unknownOverride, source);
      if (stdout !== undefined) {
        const names = decodeJson(Inventory, stdout);
        if (names !== undefined) return names;
      } else if (log.error !== undefined && lacksConfigurations(log.error.text)) {
        return [];
      }
      const reason = stdout === undefined ? failure : unexpected("the list of hosts");
      if (reason.cause === "denied")
        throw denied(`the hosts of commit ${source.commit.slice(0, 12)}`, reason);
      throw new HomelabError(
        reason.cause === "infra" ? "unavailable" : "failed",
        `the hosts of commit ${source.commit.slice(0, 12)} cannot be listed: ${reason.message}`,
        { code: "INVENTORY_FAILED", cause: new Error(reason.details) },
      );
    },

    async evaluate(source, hosts, options, signal) {
      const [host, ...others] = hosts;
      const target = { source, options, nixVersion };
      if (host === undefined) return { type: "evaluated", hosts: new Map(), threw: [] };
      const isBatch = others.length > 0;
      const token = isBatch ? randomUUID() : undefined;
      const args = token === undefined ? singleArguments(target, host) : batchArguments(target, hosts, token);
      const { stdout, log, failure } = await run(source, args, options, signal, token);
      const ignoredSettings = log.ignoredSettings.length === 0 ? undefined : log.ignoredSettings;
      if (stdout !== undefined) {
        return { ...(await readResults(stdout, log, hosts, checkToplevel)), ignoredSettings };
      }
      // A process of several hosts that failed says nothing about any one of them.
      const warnings = boundedWarnings((isBatch ? undefined : log.warnings.get(undefined)) ?? []);
      return {
        type: "failed",
        failure: { ...failure, ...(warnings.length > 0 && { warnings }) },
        ignoredSettings,
      };
    },
  };
}

const cleaned = (failure: EvaluationFailure, inputs: OpenInputs): EvaluationFailure => ({
  ...failure,
  message: inputs.clean(failure.message),
  details: inputs.clean(failure.details),
});

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

/**
 * Which of the hosts the evaluator gave a result for; all of them must be there. In a batch, a host whose result is
 * refused counts as one that threw: alone, it is told why.
 */
async function readResults(
  stdout: string,
  log: EvaluationLog,
  hosts: readonly HostName[],
  checkToplevel: ReturnType<typeof createToplevelCheck>,
): ReturnType<Evaluator["evaluate"]> {
  const results = new Map((decodeJson(Results, stdout) ?? []).map(({ host, result }) => [host, result]));
  const missing = hosts.find((host) => !results.has(host));
  if (missing !== undefined) return { type: "failed", failure: unexpected(`the host ${missing}`) };
  const evaluated = new Map<HostName, HostEvaluation>();
  const threw: HostName[] = [];
  for (const host of hosts) {
    const result = results.get(host);
    const checked = result === null ? undefined : await checkToplevel(result);
    if (checked?.type === "evaluated") {
      const { evaluation } = checked;
      // In a process of one host there may be no markers, and all is its own.
      const unmarked = hosts.length === 1 ? log.warnings.get(undefined) : undefined;
      const said = log.warnings.get(host) ?? unmarked ?? [];
      const warnings =
        said.length === 0 ? evaluation.warnings : boundedWarnings([...evaluation.warnings, ...said]);
      evaluated.set(host, { ...evaluation, warnings });
    } else if (checked !== undefined && hosts.length === 1) return checked;
    else threw.push(host);
  }
  return { type: "evaluated", hosts: evaluated, threw };
}

/** Its names or warnings, and nothing of the infrastructure. */
const tooLarge: EvaluationFailure = {
  cause: "error",
  message: `the result of the evaluation is larger than ${maxStdoutBytes / 1024 / 1024} MiB`,
  details: "",
  isOwn: true,
};

function unlessTooLarge(error: unknown): undefined {
  if (!(error instanceof HomelabError) || error.code !== "OUTPUT_TOO_LARGE") throw error;
}

function unexpected(what: string): EvaluationFailure {
  const message = oneLine(`Nix succeeded without saying what it was asked for: ${what}`);
  return { cause: "infra", message, details: message };
}

/** The words of Nix 2.8 to 2.34. */
const lacksConfigurations = (error: string): boolean =>
  /^flake '[^']*' does not provide attribute .*nixosConfigurations'/.test(error);

interface BuildDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Where an evaluator's own builds work: by it their processes are found when the evaluator is gone. */
async function openBuildDirectory(parent: string): Promise<BuildDirectory> {
  const path = await makeBuildDirectory(parent);
  return { path, [Symbol.asyncDispose]: async () => removeBuildDirectory(path) };
}
