// Evaluator processes: as many as there are slots, each of which takes the hosts of one revision one after the other.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { EvaluationEvent, EvaluationLimits, Evaluator } from "../../nix/evaluator.ts";
import type { RepoName } from "../../protocol/names.ts";
import { decideEvaluationFailure, isDeterministic } from "../decide-verdicts.ts";
import { failWork } from "../fail-work.ts";
import type { BuildSource, HostWork } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";
import { collectEvaluations, type Evaluations } from "./collect-evaluations.ts";
import { createEvaluatorProgress, type EvaluatorProgress, type Taken } from "./evaluator-progress.ts";
import {
  givesWay,
  planEvaluation,
  roomOf,
  sourceName,
  type MemoryLimits,
  type PlanOptions,
} from "./plan-evaluations.ts";

export interface EvaluationPoolOptions {
  readonly board: WorkBoard;
  readonly nix: Evaluator;
  readonly clock: Clock;
  readonly log: Log;
  readonly slots: number;
  /** Hosts for one evaluator at most. */
  readonly mostHosts: number;
  readonly limits: EvaluationLimits & MemoryLimits;
}

const lookEveryMs = 50;
/** How often a free slot is planned for again: hosts may wait behind one that takes longer than was to be expected. */
const planAgainMs = 1000;

/** Evaluates what waits on the board until the signal aborts. */
export async function runEvaluationPool(options: EvaluationPoolOptions, signal: AbortSignal): Promise<void> {
  const { board, clock, slots, mostHosts, limits } = options;
  const lastServed = new Map<RepoName, number>();
  const plans: PlanOptions = { limits, mostHosts, lastServed };
  const running = new Map<EvaluatorProgress, Promise<void>>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined); // when the loop has ended before
  let served = 0;
  const lookedAt = new WeakMap<EvaluatorProgress, number>();
  /** What the hosts of a revision took, as long as there are any to evaluate. */
  const taken = new Map<string, Taken>();

  const planNext = (): readonly HostWork[] =>
    planEvaluation(board.inStage("evaluation"), [...running.keys()], plans, clock.monotonic());

  function onEvaluated(evaluator: EvaluatorProgress): void {
    const { firstMs, furtherMs, growthBytes } = evaluator;
    taken.set(sourceName(evaluator), { firstMs, furtherMs, growthBytes });
  }

  function forgetTaken(): void {
    const open = new Set([...board.inStage("evaluation"), ...running.keys()].map(sourceName));
    for (const source of taken.keys()) if (!open.has(source)) taken.delete(source);
  }

  function isToEnd(evaluator: EvaluatorProgress): boolean {
    if (evaluator.next() === undefined) return true;
    const now = clock.monotonic();
    const same = [...running.keys()].filter((other) => sourceName(other) === sourceName(evaluator));
    if (roomOf(evaluator, same, limits, now) === 0) return true;
    // Looking is work that grows with the number of hosts, and of small ones there are hundreds in a second.
    if (now - (lookedAt.get(evaluator) ?? 0) < lookEveryMs) return false;
    lookedAt.set(evaluator, now);
    if (running.size < slots) {
      // By now it may be known that it will not come to all that is left.
      board.notifiers.evaluation.notify();
      return false;
    }
    const [next] = planNext();
    return givesWay(evaluator, next, [...running.keys()], now);
  }

  try {
    for (;;) {
      while (running.size < slots) {
        const plan = planNext();
        const [first] = plan;
        if (first === undefined) break;
        lastServed.set(first.repo, ++served);
        const source = sourceName(first);
        const evaluator = createEvaluatorProgress(first, plan, clock, () => taken.get(source));
        board.move([first], "evaluating");
        const ended = runEvaluator(options, evaluator, { isToEnd, onEvaluated }, signal).finally(() => {
          running.delete(evaluator);
          forgetTaken();
          board.notifiers.evaluation.notify();
        });
        ended.catch(broken.reject);
        running.set(evaluator, ended);
      }
      const woken = new AbortController();
      const somebodyWaits = running.size < slots && board.inStage("evaluation").length > 0;
      await Promise.race([
        board.notifiers.evaluation.wait(signal),
        broken.promise,
        ...(somebodyWaits ? [clock.sleep(planAgainMs, AbortSignal.any([signal, woken.signal]))] : []),
      ]).finally(() => woken.abort());
    }
  } finally {
    await Promise.allSettled(running.values());
  }
}

interface EvaluatorListener {
  /** Whether it ends now that it is between two hosts. */
  isToEnd(evaluator: EvaluatorProgress): boolean;
  onEvaluated(evaluator: EvaluatorProgress): void;
}

async function runEvaluator(
  options: EvaluationPoolOptions,
  evaluator: EvaluatorProgress,
  { isToEnd, onEvaluated }: EvaluatorListener,
  signal: AbortSignal,
): Promise<void> {
  const { board, nix, clock, limits } = options;
  const { plan } = evaluator;
  const source = plan.map((work) => board.sourceOf(work)).find((known) => known !== undefined);
  if (source === undefined) return; // nobody wants any of it any more
  const unwanted = new AbortController();
  const stopListening = board.onUnwanted((work) => {
    if (work === evaluator.current()) unwanted.abort();
  });
  const works = new Map(plan.map((work) => [work.host, work]));
  const { flake, allowImportFromDerivation } = source;
  const both = AbortSignal.any([signal, unwanted.signal]);
  const found = collectEvaluations(board, clock);
  try {
    const events = nix.evaluate(flake, [...works.keys()], { ...limits, allowImportFromDerivation }, both);
    for await (const event of events) {
      if (event.type === "begun") {
        const work = works.get(event.host);
        // Another evaluator has it, or nobody wants it: what follows is for another evaluator.
        if (work === undefined) break;
        const before = evaluator.current();
        if (!evaluator.begin(work)) break;
        // Whatever the evaluator has forgotten is not forgotten here.
        if (before !== undefined && before !== work)
          board.decide(
            new Map([[before, { type: "retry", reason: "the evaluator gave no result for this host" }]]),
          );
        board.move([work], "evaluating");
      } else if (event.type === "ignored-settings") {
        warnOfIgnored(board, source, plan, event.settings);
      } else {
        settle(board, evaluator, event, found);
        if (event.type === "evaluated") onEvaluated(evaluator);
        if (isToEnd(evaluator)) break;
      }
    }
  } catch (error) {
    if (signal.aborted || unwanted.signal.aborted) return;
    const current = evaluator.current();
    failWork(options, current === undefined ? evaluator.ahead : [current], error);
  } finally {
    stopListening();
    found.close();
    const current = evaluator.current();
    if (current?.stage === "evaluating") board.move([current], "evaluation");
  }
}

/** What was found of hosts. */
function settle(
  board: WorkBoard,
  evaluator: EvaluatorProgress,
  event: Exclude<EvaluationEvent, { type: "begun" | "ignored-settings" }>,
  found: Evaluations,
): void {
  const others = new Set(event.type === "failed" && event.hosts.length > 1 ? event.hosts : []);
  const ahead = others.size === 0 ? [] : evaluator.ahead.filter(({ host }) => others.has(host));
  const current = evaluator.current();
  const durationMs = evaluator.end(event.type === "evaluated" ? event.heldBytes : undefined);
  if (current === undefined) return;
  if (event.type === "evaluated") {
    board.sourceOf(current)?.memory.remember(current.host, event.evaluation);
    found.add(current, event.evaluation, durationMs);
  } else if (event.type === "failed") {
    for (const work of [current, ...ahead]) {
      const memory = board.sourceOf(work)?.memory;
      if (isDeterministic(event.failure)) memory?.remember(work.host, event.failure);
      else memory?.forget(work.host);
    }
    const decision = decideEvaluationFailure(event.failure);
    board.decide(new Map([current, ...ahead].map((work) => [work, decision])));
  } else if (current.goesFirst) {
    board.decide(new Map([[current, { type: "retry", reason: event.reason }]]));
  } else {
    current.goesFirst = true;
    board.move([current], "evaluation");
  }
}

/** Each build hears of it once, and what is remembered of a commit is not evaluated again. */
function warnOfIgnored(
  board: WorkBoard,
  { repo, commit }: BuildSource,
  works: readonly HostWork[],
  settings: readonly string[],
): void {
  board.warn(
    new Set(works.flatMap(({ watchers }) => [...watchers])),
    `${repo}@${commit.slice(0, 7)}: nixConfig of flake.nix is ignored (${settings.join(", ")}): set what builds need in nix.conf of the builder`,
  );
}
