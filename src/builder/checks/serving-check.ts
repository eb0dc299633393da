// What is built has its verdict only when the cache was proven to serve it: one proof for all hosts that wait, since
// they share most of what they need.
import type { Clock } from "../../base/clock.ts";
import { isBug, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { StorePath } from "../../protocol/names.ts";
import { askApart } from "./ask-apart.ts";
import type { Decision } from "../decide-verdicts.ts";
import { failWork } from "../fail-work.ts";
import type { SignedStatement } from "../../protocol/deploy/statement.ts";
import type { HostWork, ReadyWork } from "../work.ts";
import type { Statements } from "./state-hosts.ts";
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
  /** Nothing is signed if absent. */
  readonly statements?: Statements;
  readonly clock: Clock;
  readonly log: Log;
}

/** Proves what was built until the signal aborts. */
export async function runServingCheck(
  { board, proof, statements, clock, log }: ServingCheckOptions,
  signal: AbortSignal,
): Promise<void> {
  /** A host without its statement is built and served all the same; the next build states it. */
  async function state(works: readonly ReadyWork[]): Promise<ReadonlyMap<HostWork, SignedStatement>> {
    try {
      return (await statements?.state(works, signal)) ?? new Map();
    } catch (error) {
      signal.throwIfAborted();
      if (isBug(error)) throw error;
      for (const work of works) board.warn(work.watchers, `no statement was signed: ${messageOf(error)}`);
      return new Map();
    }
  }

  for (;;) {
    const works = board.inStage("serving").filter(isEvaluated);
    if (works.length === 0) {
      await board.notifiers.serving.wait(signal);
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
    const served = works.filter(({ evaluation }) => reasonOf(evaluation.outPath) === undefined);
    const stated = await state(served);
    board.decide(
      new Map(
        works.map((work) => [work, decideServed(work, reasonOf(work.evaluation.outPath), stated.get(work))]),
      ),
    );
  }
}

/** A host is never to blame if it is not served: building it again would change nothing. */
function decideServed(
  { outcome }: HostWork,
  reason: string | undefined,
  statement: SignedStatement | undefined,
): Decision {
  if (reason !== undefined) return { type: "retry", reason, cached: false };
  return { type: "verdict", verdict: outcome ?? "unchanged", cached: true, statement };
}
