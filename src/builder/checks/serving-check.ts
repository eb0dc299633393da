// What is built has its verdict only when the cache was proven to serve it: one proof for all hosts that wait, since
// they share most of what they need.
import type { Clock } from "../../base/clock.ts";
import { isBug, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { StorePath } from "../../protocol/names.ts";
import { askApart } from "./ask-apart.ts";
import type { Decision } from "../decide-verdicts.ts";
import { failWork } from "../fail-work.ts";
import type { HostWork } from "../work.ts";
import { isEvaluated } from "./output-check.ts";
import type { WorkBoard } from "../work-board.ts";

/** Whether what is built can be fetched. Without one nobody asks. */
export interface ServingProof {
  /**
   * Why each of these outputs is not served with all that it needs, in a line; those that are not in it are served.
   *
   * @throws HomelabError `unavailable` when the store does not say what they need.
   */
  findUnserved(outPaths: readonly StorePath[], signal: AbortSignal): Promise<ReadonlyMap<StorePath, string>>;
}

export interface ServingCheckOptions {
  readonly board: WorkBoard;
  readonly proof: ServingProof;
  readonly clock: Clock;
  readonly log: Log;
}

/** Proves what was built until the signal aborts. */
export async function runServingCheck(
  { board, proof, clock, log }: ServingCheckOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const works = board.inStage("serving").filter(isEvaluated);
    if (works.length === 0) {
      await board.bells.serving.wait(signal);
      continue;
    }
    let reasonOf: (outPath: StorePath) => string | undefined;
    try {
      const unserved = new Map<StorePath, string>();
      const prove = async (some: readonly StorePath[]): Promise<void> => {
        for (const [outPath, reason] of await proof.findUnserved(some, signal)) unserved.set(outPath, reason);
      };
      const outPaths = [...new Set(works.map((work) => work.evaluation.outPath))];
      for (const { items, error } of await askApart(outPaths, prove, clock, signal)) {
        for (const outPath of items) unserved.set(outPath, error.message);
      }
      reasonOf = (outPath) => unserved.get(outPath);
    } catch (error) {
      signal.throwIfAborted();
      if (isBug(error)) {
        failWork({ board, log }, works, error);
        continue;
      }
      reasonOf = () => messageOf(error);
    }
    board.decide(new Map(works.map((work) => [work, decideServed(work, reasonOf(work.evaluation.outPath))])));
  }
}

/** Not to be served is never the host's own fault: building it again would change nothing. */
function decideServed({ outcome }: HostWork, reason: string | undefined): Decision {
  if (reason !== undefined) return { type: "retry", reason, cached: false };
  return { type: "verdict", verdict: outcome ?? "unchanged", cached: true };
}
