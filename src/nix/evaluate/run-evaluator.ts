// One `nix eval`: its environment, its bounds, and why it failed.
import { HomelabError } from "../../base/errors.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { openToAll, withInputAccess, type InputAccess, type OpenInputs } from "../input-access.ts";
import type { EvaluationFailure, EvaluationOptions, FlakeSource } from "../evaluator.ts";
import type { Environment } from "../nix-environment.ts";
import { makeBuildDirectory, removeBuildDirectory } from "../realise/build-directory.ts";
import type { Store } from "../store.ts";
import { saysDamagedGitObjects } from "../words/git-object-error.ts";
import { evaluationFailure } from "./evaluation-failure.ts";
import type { EvaluationLog, EvaluationLogReader } from "./evaluation-log.ts";
import { explainImport } from "./failed-import.ts";

const maxStdoutBytes = 16 * 1024 * 1024;
/** Nix's own default, said so that it is never more than the bound. */
const usualHeapBytes = 384 * 1024 * 1024;
/** An evaluator in a loop does not see SIGTERM, and has nothing to put in order; git may have, which it waits for. */
const graceMs = 1_000;
/** With import from derivation it may have builders to end, which only it can do. */
const buildingGraceMs = 10_000;

export interface RunEvaluatorOptions extends Pick<Store, "readDerivation" | "readLog"> {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly inputAccess?: InputAccess;
  /** Where evaluators that may build get a directory of their own: see `makeBuildDirectory`. */
  readonly buildsDirectory: string;
  /** See `countOutOfMemoryKills`. */
  readonly outOfMemoryKills: () => Promise<number>;
}

export interface EvaluatorRun {
  readonly source: FlakeSource;
  /** The arguments of `nix`. */
  readonly args: readonly string[];
  readonly options: EvaluationOptions;
  /** Gets its stderr. */
  readonly log: EvaluationLogReader;
  readonly onStarted?: (pid: number) => void;
  /** Aborts when it has taken too long. */
  readonly overdue: AbortSignal;
  /** Whether nobody wants it any more, so that it is ended at once: between two hosts it has nothing to put in order. */
  readonly isNotNeeded?: () => boolean;
}

export interface Evaluated {
  /** Undefined when the evaluator failed. */
  readonly stdout: string | undefined;
  readonly log: EvaluationLog;
  /** Why, if it failed. */
  readonly failure: EvaluationFailure;
  /** A signal that we did not send ended it. */
  readonly wasKilled: boolean;
  /** It failed by what a power cut has left of Nix's clones of git repositories, which Nix does not fix itself. */
  readonly hasDamagedCache: boolean;
}

export type RunEvaluator = (run: EvaluatorRun, signal: AbortSignal) => Promise<Evaluated>;

export function createRunEvaluator(given: RunEvaluatorOptions): RunEvaluator {
  const { exec, environment, inputAccess = openToAll, buildsDirectory, outOfMemoryKills } = given;
  /** The system has refused a large heap once: it does not give out memory that is not used (vm.overcommit_memory = 2). */
  let refusesHeaps = false;

  async function evaluate(
    run: EvaluatorRun,
    heap: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Evaluated> {
    const { source, args, options, log: reader, onStarted, overdue, isNotNeeded } = run;
    const { mirror, overrides = [] } = source;
    const { allowImportFromDerivation } = options;
    const inputs = await inputAccess.open([mirror, ...overrides.map((override) => override.mirror)]);
    await using builds = allowImportFromDerivation ? await openBuildDirectory(buildsDirectory) : undefined;
    const killsBefore = await outOfMemoryKills();
    const running = exec("nix", args, {
      env: {
        ...withInputAccess(environment, inputs),
        ...heap,
        ...(builds !== undefined && { TMPDIR: builds.path }),
      },
      cwd: "/",
      signal: AbortSignal.any([signal, overdue]),
      graceMs: () => {
        if (isNotNeeded?.() === true) return 0;
        return allowImportFromDerivation ? buildingGraceMs : graceMs;
      },
      maxStdoutBytes,
      ownedDirectory: builds?.path,
      onStarted,
      onStderr: (chunk) => reader.write(chunk),
    });
    const result = await running.catch((error: unknown) => whenEnded(error, overdue, signal));
    const log = reader.end();
    if (result === "too-large")
      return { stdout: undefined, log, failure: tooLarge, wasKilled: false, hasDamagedCache: false };
    const kills = (await outOfMemoryKills()) - killsBefore;
    const ended = evaluationFailure({ result, log, outOfMemoryKills: kills, limits: options });
    const { failedBuild, threw } = log;
    const isOfImport = failedBuild !== undefined && !threw && ended.cause === "error";
    const failure = isOfImport ? await explainImport(ended, failedBuild, given, signal) : ended;
    const succeeded = result.exitCode === 0 && !result.timedOut;
    return {
      stdout: succeeded ? result.stdout : undefined,
      log,
      failure: cleaned(failure, inputs),
      wasKilled: result.killedBy !== undefined && !result.timedOut,
      hasDamagedCache:
        !succeeded &&
        failure.cause === "infra" &&
        saysDamagedGitObjects(log.error?.text ?? "", log.plainLines),
    };
  }

  return async (run, signal) => {
    const { initialHeapBytes = usualHeapBytes, maxMemoryBytes } = run.options;
    const heapOf = (bytes: number) => ({
      GC_INITIAL_HEAP_SIZE: String(Math.min(bytes, maxMemoryBytes)),
      GC_MAXIMUM_HEAP_SIZE: String(maxMemoryBytes),
    });
    const evaluated = await evaluate(run, heapOf(refusesHeaps ? usualHeapBytes : initialHeapBytes), signal);
    if (evaluated.stdout !== undefined || !evaluated.log.plainLines.some(isRefusedHeap)) return evaluated;
    refusesHeaps = true;
    return evaluate(run, heapOf(usualHeapBytes), signal);
  };
}

/** The words of the Boehm collector, before Nix has done anything. */
const isRefusedHeap = (line: string): boolean => line.includes("Can't start up: not enough memory");

const cleaned = (failure: EvaluationFailure, inputs: OpenInputs): EvaluationFailure => ({
  ...failure,
  message: inputs.clean(failure.message),
  details: inputs.clean(failure.details),
});

/** Its names, and nothing of the infrastructure. */
const tooLarge: EvaluationFailure = {
  cause: "error",
  message: `the result of the evaluation is larger than ${maxStdoutBytes / 1024 / 1024} MiB`,
  details: "",
  isOwn: true,
};

function whenEnded(error: unknown, overdue: AbortSignal, signal: AbortSignal): Ended | "too-large" {
  if (overdue.aborted && !signal.aborted) {
    return { exitCode: undefined, killedBy: undefined, timedOut: true, stdout: "" };
  }
  if (error instanceof HomelabError && error.code === "OUTPUT_TOO_LARGE") return "too-large";
  throw error;
}

type Ended = Pick<ExecResult, "exitCode" | "killedBy" | "timedOut" | "stdout">;

interface BuildDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Where an evaluator's own builds work: by it their processes are found when the evaluator is gone. */
async function openBuildDirectory(parent: string): Promise<BuildDirectory> {
  const path = await makeBuildDirectory(parent);
  return { path, [Symbol.asyncDispose]: async () => removeBuildDirectory(path) };
}
