import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import { plainText } from "../base/terminal-text.ts";
import { type HostName, StorePath } from "../protocol/names.ts";
import type { Exec } from "../process/exec.ts";
import { batchArguments, listingArguments, singleArguments } from "./evaluation-arguments.ts";
import { evaluationFailure, oneLine } from "./evaluation-failure.ts";
import { createEvaluationLogReader, type EvaluationLog } from "./evaluation-log.ts";
import type { Environment } from "./nix-environment.ts";
import type { EvaluationFailure, EvaluationOptions, FlakeSource, HostEvaluation, Nix } from "./nix.ts";

const maxStdoutBytes = 16 * 1024 * 1024;
/** Nix's own default, said so that it is never more than the bound. A smaller one costs 5 % more CPU. */
const initialHeapBytes = 384 * 1024 * 1024;
/** An evaluator in a loop does not see SIGTERM, and has nothing to put in order. */
const graceMs = 1_000;
/** With import from derivation it may have builders to end, which only it can do. */
const buildingGraceMs = 10_000;

const maxWarnings = 100;
const maxWarningLength = 2_000;

const Inventory = v.array(v.string());
const Results = v.array(
  v.object({
    host: v.string(),
    /** Null when it threw. */
    result: v.nullable(
      v.pipe(
        v.object({
          drvPath: StorePath,
          output: StorePath,
          system: v.pipe(v.string(), v.maxLength(100)),
          warnings: v.array(v.string()),
        }),
        v.transform(({ output, ...rest }) => ({ ...rest, outPath: output })),
      ),
    ),
  }),
);

export interface EvaluatorOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  /** Of Nix. */
  readonly version: string;
  /** `readOutOfMemoryKills` */
  readonly outOfMemoryKills: () => Promise<number>;
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
  version: nixVersion,
  outOfMemoryKills,
}: EvaluatorOptions): Pick<Nix, "listHosts" | "evaluate"> {
  async function run(
    args: readonly string[],
    options: EvaluationOptions,
    signal: AbortSignal,
  ): Promise<Evaluated> {
    await using builds = options.allowImportFromDerivation
      ? await temporaryDirectory(environment)
      : undefined;
    const reader = createEvaluationLogReader();
    const killsBefore = await outOfMemoryKills();
    const result = await exec("nix", args, {
      env: {
        ...environment,
        GC_INITIAL_HEAP_SIZE: String(Math.min(initialHeapBytes, options.maxMemoryBytes)),
        GC_MAXIMUM_HEAP_SIZE: String(options.maxMemoryBytes),
        ...(builds !== undefined && { TMPDIR: builds.path }),
      },
      cwd: "/",
      signal,
      timeoutMs: options.timeoutMs,
      graceMs: options.allowImportFromDerivation ? buildingGraceMs : graceMs,
      maxStdoutBytes,
      ...(builds !== undefined && { ownedDirectory: builds.path }),
      onStderr: (chunk) => reader.write(chunk),
    });
    const log = reader.end();
    const kills = (await outOfMemoryKills()) - killsBefore;
    const end = { result, log, outOfMemoryKills: kills, limits: options };
    const succeeded = result.exitCode === 0 && !result.timedOut;
    return { stdout: succeeded ? result.stdout : undefined, log, failure: evaluationFailure(end) };
  }

  return {
    async listHosts(source, options, signal) {
      const { stdout, log, failure } = await run(
        listingArguments({ source, options, nixVersion }),
        options,
        signal,
      );
      if (log.unknownOverride !== undefined) throw unknownInput(log.unknownOverride, source);
      if (stdout !== undefined) {
        const names = parse(Inventory, stdout);
        if (names !== undefined) return names;
      } else if (log.error !== undefined && lacksConfigurations(log.error.text)) {
        return [];
      }
      const reason = stdout === undefined ? failure : unexpected("the list of hosts");
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
      const caught = async () => run(batchArguments(target, hosts), options, signal);
      const evaluated =
        others.length > 0 ? await caught() : await run(singleArguments(target, host), options, signal);
      if (evaluated.stdout !== undefined) return readResults(evaluated.stdout, hosts);
      const { failure, log } = evaluated;
      if (others.length > 0 || failure.cause !== "infra" || log.error === undefined) {
        return { type: "failed", failure };
      }
      // These words may also be the host's own, thrown. Nix can catch what a host throws, and only that.
      const again = await caught();
      if (again.stdout === undefined) return { type: "failed", failure };
      const results = readResults(again.stdout, hosts);
      return results.type === "evaluated" && results.threw.length > 0
        ? { type: "failed", failure: { ...failure, cause: "error" } }
        : results;
    },
  };
}

/** Nix only warns, and evaluates as if nothing had been asked. */
const unknownInput = (input: string, { commit }: FlakeSource): HomelabError =>
  new HomelabError("usage", `the flake has no input ${input} at commit ${commit.slice(0, 12)}`, {
    code: "UNKNOWN_FLAKE_INPUT",
    hint: "an override names an input of the flake itself, as its flake.nix does",
  });

/** Which of the hosts the evaluator gave a result for; all of them must be there. */
function readResults(stdout: string, hosts: readonly HostName[]): Awaited<ReturnType<Nix["evaluate"]>> {
  const results = new Map((parse(Results, stdout) ?? []).map(({ host, result }) => [host, result]));
  const evaluated = new Map<HostName, HostEvaluation>();
  const threw: HostName[] = [];
  for (const host of hosts) {
    const result = results.get(host);
    if (result === undefined) return { type: "failed", failure: unexpected(`the host ${host}`) };
    if (result === null) threw.push(host);
    else evaluated.set(host, { ...result, warnings: boundedWarnings(result.warnings) });
  }
  return { type: "evaluated", hosts: evaluated, threw };
}

function boundedWarnings(warnings: readonly string[]): readonly string[] {
  const bounded = warnings
    .slice(0, maxWarnings)
    .map((warning) => plainText(warning.slice(0, maxWarningLength)).trim());
  const more = warnings.length - bounded.length;
  return more > 0 ? [...bounded, `and ${more} more warnings`] : bounded;
}

function unexpected(what: string): EvaluationFailure {
  const message = oneLine(`Nix succeeded without saying what it was asked for: ${what}`);
  return { cause: "infra", message, details: message };
}

/** The words of Nix 2.8 to 2.34. */
const lacksConfigurations = (error: string): boolean =>
  /^flake '[^']*' does not provide attribute .*nixosConfigurations'/.test(error);

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  json: string,
): v.InferOutput<Schema> | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(json));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Where an evaluator's own builds work: by it their processes are found when the evaluator is gone. */
async function temporaryDirectory(environment: Environment): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(environment["TMPDIR"] ?? tmpdir(), "homelab-evaluation-"));
  return {
    path,
    [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }),
  };
}
