// What is evaluated is protected from the garbage collector, and then asked for in the store: one question for
// all hosts that wait, so an unchanged fleet costs one Nix process, and a new one none.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { GcRoots } from "../../nix/gc-roots.ts";
import type { Realiser } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import { askApart } from "./ask-apart.ts";
import type { Decision } from "../decide-verdicts.ts";
import type { OtherBuilders } from "../other-builders.ts";
import type { FailedHooks } from "../lanes/failed-hooks.ts";
import { explainForeign } from "./foreign-systems.ts";
import { judgeHooks } from "./hook-check.ts";
import { withOutput, withValidOutput } from "./valid-outputs.ts";
import { failWork } from "../fail-work.ts";
import type { HostWork, ReadyWork } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";

export interface OutputCheckOptions {
  readonly board: WorkBoard;
  readonly nix: Store & Pick<Realiser, "systems">;
  readonly gcRoots: GcRoots;
  readonly failedHooks: FailedHooks;
  readonly otherBuilders?: OtherBuilders | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export const isEvaluated = (work: HostWork): work is ReadyWork => work.evaluation !== undefined;

/** While others are evaluated, the store is asked at most so often: a thousand hosts cost as many questions as seconds. */
const gatherMs = 500;

const isEvaluating = (board: WorkBoard): boolean =>
  board.inStage("evaluating").length > 0 || board.inStage("evaluation").length > 0;

/** Checks what was evaluated until the signal aborts. */
export async function runOutputCheck(options: OutputCheckOptions, signal: AbortSignal): Promise<void> {
  const { board, nix, clock } = options;
  const waiting = (): readonly ReadyWork[] => board.inStage("check").filter(isEvaluated);
  let askedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    if (waiting().length === 0) {
      await board.notifiers.check.wait(signal);
      continue;
    }
    if ((await withOutput(nix, waiting())).length > 0) {
      const sinceMs = clock.monotonic() - askedAt;
      if (sinceMs < gatherMs && isEvaluating(board)) await clock.sleep(gatherMs - sinceMs, signal);
      askedAt = clock.monotonic();
    }
    const works = waiting();
    if (works.length === 0) continue;
    try {
      const check = async (some: readonly ReadyWork[]): Promise<void> => checkOutputs(options, some, signal);
      for (const { items, error } of await askApart(works, check, options.clock, signal)) {
        board.decide(new Map(items.map((work) => [work, { type: "retry", reason: error.message }])));
      }
    } catch (error) {
      signal.throwIfAborted();
      failWork(
        options,
        works.filter((work) => work.stage === "check"),
        error,
      );
    }
  }
}

async function checkOutputs(
  options: OutputCheckOptions,
  works: readonly ReadyWork[],
  signal: AbortSignal,
): Promise<void> {
  const { board, nix, gcRoots } = options;
  await gcRoots.protect(
    works.map(({ repo, commit, variant, host, evaluation: { drvPath, outPath } }) => ({
      repo,
      commit,
      variant,
      host,
      drvPath,
      outPath,
    })),
    signal,
  );
  const unchanged = await withValidOutput(nix, works, signal);
  board.decide(await judgeHooks(options, unchanged, "unchanged"));

  const isUnchanged = new Set(unchanged);
  const [foreign, missing] = partition(
    works.filter((work) => !isUnchanged.has(work)),
    ({ evaluation }) => nix.systems.includes(evaluation.system),
  );
  const present = await Promise.all(missing.map((work) => nix.present(work.evaluation.drvPath)));
  board.move(
    missing.filter((_, index) => present[index] === true),
    "ready",
  );
  for (const work of missing.filter((_, index) => present[index] !== true)) evaluateAgain(board, work);
  // Nix 2.8 ends the whole process at the first derivation that it has no builder for.
  const skipped = new Map(foreign.map((work) => [work, skippedForSystem(work)]));
  board.decide(await explainForeign(skipped, options.otherBuilders, signal));
}

const skippedForSystem = ({ evaluation }: ReadyWork): Decision => ({
  type: "verdict",
  verdict: "skipped",
  reason: `no builder for its system, ${evaluation.system}`,
  foreignSystem: evaluation.system,
});

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  const [no, yes]: [Item[], Item[]] = [[], []];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [no, yes];
}

/** The remembered evaluation is worthless. Done once: a derivation that keeps disappearing is the store's fault. */
function evaluateAgain(board: WorkBoard, work: HostWork): void {
  board.sourceOf(work)?.memory.forget(work.host);
  work.evaluation = undefined;
  if (work.reevaluated) {
    board.decide(new Map([[work, { type: "retry", reason: "its derivation is gone from the store again" }]]));
    return;
  }
  work.reevaluated = true;
  board.move([work], "evaluation");
}
