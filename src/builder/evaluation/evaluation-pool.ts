// Evaluator processes: as many as there are slots, each with a few hosts of one commit.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { EvaluationFailure, EvaluationOptions, HostEvaluation, Evaluator } from "../../nix/evaluator.ts";
import type { RepoName } from "../../protocol/names.ts";
import { decideEvaluationFailure, isDeterministic, type Decision } from "../decide-verdicts.ts";
import { failWork } from "../fail-work.ts";
import type { HostWork, BuildSource } from "../work.ts";
import { pickEvaluations } from "./pick-evaluations.ts";
import type { WorkBoard } from "../work-board.ts";

export interface EvaluationPoolOptions {
  readonly board: WorkBoard;
  readonly nix: Evaluator;
  readonly clock: Clock;
  readonly log: Log;
  readonly slots: number;
  readonly batchSize: number;
  readonly limits: Pick<EvaluationOptions, "timeoutMs" | "maxMemoryBytes">;
}

/** Evaluates what waits on the board until the signal aborts. */
export async function runEvaluationPool(options: EvaluationPoolOptions, signal: AbortSignal): Promise<void> {
  const { board, slots, batchSize } = options;
  const lastServed = new Map<RepoName, number>();
  const running = new Set<Promise<void>>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined); // when the loop has ended before
  let served = 0;
  try {
    for (;;) {
      while (running.size < slots) {
        const batch = pickEvaluations(board.inStage("evaluation"), { batchSize, slots, lastServed });
        const [first] = batch;
        if (first === undefined) break;
        lastServed.set(first.repo, ++served);
        board.move(batch, "evaluating");
        const process = evaluateBatch(options, batch, signal).finally(() => {
          running.delete(process);
          board.bells.evaluation.ring();
        });
        process.catch(broken.reject);
        running.add(process);
      }
      await Promise.race([board.bells.evaluation.wait(signal), broken.promise]);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

async function evaluateBatch(
  options: EvaluationPoolOptions,
  batch: readonly HostWork[],
  signal: AbortSignal,
): Promise<void> {
  const { board, nix, clock, limits } = options;
  const source = batch.map((work) => board.sourceOf(work)).find((known) => known !== undefined);
  if (source === undefined) return; // nobody wants any of it any more
  const unwanted = new AbortController();
  const stopListening = board.onUnwanted(() => {
    if (batch.every((work) => work.stage === "done")) unwanted.abort();
  });
  const started = clock.monotonic();
  try {
    const { allowImportFromDerivation } = source;
    const hosts = batch.map((work) => work.host);
    const result = await nix.evaluate(
      source.flake,
      hosts,
      { ...limits, allowImportFromDerivation },
      AbortSignal.any([signal, unwanted.signal]),
    );
    warnOfIgnored(board, source, batch, result.ignoredSettings);
    if (result.type === "failed") {
      settleFailure(board, source, batch, result.failure);
      return;
    }
    const evaluated = new Map<HostWork, HostEvaluation>();
    for (const work of batch) {
      const evaluation = result.hosts.get(work.host);
      if (evaluation === undefined) continue;
      evaluated.set(work, evaluation);
      source.memory.remember(work.host, evaluation);
    }
    board.evaluated(evaluated, clock.monotonic() - started);
    // Their message is lost in a batch, and a process that forgot a host has not judged it.
    isolate(
      board,
      batch.filter((work) => !evaluated.has(work)),
    );
  } catch (error) {
    if (signal.aborted || unwanted.signal.aborted) return;
    failWork(options, batch, error);
  } finally {
    stopListening();
  }
}

/** Each build hears of it once, and what is remembered of a commit is not evaluated again. */
function warnOfIgnored(
  board: WorkBoard,
  { repo, commit }: BuildSource,
  batch: readonly HostWork[],
  settings: readonly string[] = [],
): void {
  if (settings.length === 0) return;
  board.warn(
    new Set(batch.flatMap(({ watchers }) => [...watchers])),
    `${repo}@${commit.slice(0, 7)}: nixConfig of flake.nix is ignored (${settings.join(", ")}): what builds need of it belongs into nix.conf of the builder`,
  );
}

/**
 * A process of several hosts that failed says nothing about any one of them, whatever the reason: what one of them
 * fetches may be out of reach, and the others need none of it.
 */
function settleFailure(
  board: WorkBoard,
  source: BuildSource,
  batch: readonly HostWork[],
  failure: EvaluationFailure,
): void {
  const [only] = batch;
  if (batch.length > 1) isolate(board, batch);
  else if (only !== undefined) {
    if (isDeterministic(failure)) source.memory.remember(only.host, failure);
    else source.memory.forget(only.host);
    settle(board, batch, decideEvaluationFailure(failure));
  }
}

function isolate(board: WorkBoard, works: readonly HostWork[]): void {
  const again = works.filter((work) => !work.alone);
  for (const work of again) work.alone = true;
  board.move(again, "evaluation");
  const without = works.filter((work) => !again.includes(work));
  settle(board, without, { type: "retry", reason: "the evaluator gave no result for this host" });
}

const settle = (board: WorkBoard, works: readonly HostWork[], decision: Decision): void =>
  board.decide(new Map(works.map((work) => [work, decision])));
