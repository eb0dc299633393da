// Who is asked about parts of a broken update: never twice about the same commit, not for longer than allowed, and not
// any more once the infrastructure has kept a part from its verdict.
import { HomelabError, isBug, messageOf } from "../../base/errors.ts";
import type { Commit, HostName } from "../../protocol/names.ts";
import type { Candidate } from "../candidate.ts";
import { judgePart, type Breakage } from "./breakage.ts";
import { probeCommit, type ProbeOptions } from "./probe-commit.ts";
import type { PartVerdict } from "./search-inputs.ts";

export interface SearchBudget {
  /** Parts that are built at most. */
  readonly parts: number;
  /** After this time of the monotonic clock none is begun. */
  readonly deadline: number;
}

export interface PartJudgeOptions extends ProbeOptions {
  readonly base: Commit;
  /** How hosts break with the whole update; all of these hosts are built. */
  readonly breakage: Breakage;
  readonly budget: SearchBudget;
  /** Puts it where builders find it. */
  readonly offer: (part: Candidate, signal: AbortSignal) => Promise<void>;
  /** What was found out before. */
  readonly known: Map<Commit, PartVerdict>;
}

export interface PartJudge {
  /**
   * @param makePart undefined for the base itself; may throw a HomelabError, where the part cannot be made
   * @returns undefined when nobody is asked any more, and `stopped` says why.
   */
  judge(
    question: string,
    makePart: (signal: AbortSignal) => Promise<Candidate | undefined>,
    signal: AbortSignal,
  ): Promise<PartVerdict | undefined>;
  /** In a clause. Has text from outside. */
  readonly stopped: string | undefined;
  /** How many parts were built. */
  readonly built: number;
}

export function createPartJudge(options: PartJudgeOptions): PartJudge {
  const { base, breakage, budget, known, clock, log } = options;
  const hosts: readonly HostName[] = [...breakage.keys()];
  let stopped: string | undefined;
  let built = 0;

  function stop(reason: string): undefined {
    stopped = reason;
  }

  async function ask(
    part: Candidate | undefined,
    question: string,
    signal: AbortSignal,
  ): Promise<PartVerdict | undefined> {
    if (clock.monotonic() > budget.deadline) return stop("its time was over");
    if (built >= budget.parts) return stop(`${built} parts were built, which is as many as are allowed`);
    built++;
    const commit = part?.commit ?? base;
    const offer = async (until: AbortSignal): Promise<void> => {
      if (part !== undefined) await options.offer(part, until);
    };
    const verdict = judgePart(
      await probeCommit(options, { commit, offer, hosts, question }, signal),
      breakage,
    );
    log.info({ commit, question, verdict }, "asked about a part of the update");
    if (typeof verdict !== "string") return stop(`${question} has no answer: ${verdict.noVerdict}`);
    known.set(commit, verdict);
    return verdict;
  }

  return {
    async judge(question, makePart, signal) {
      if (stopped !== undefined) return undefined;
      const part = await madePart(makePart, signal);
      if (part === "impossible") return "other";
      if (part !== undefined && "unavailable" in part) return stop(part.unavailable);
      return known.get(part?.commit ?? base) ?? ask(part, question, signal);
    },
    get stopped() {
      return stopped;
    },
    get built() {
      return built;
    },
  };
}

/** A part may be impossible by itself: an input of it follows one that it does not have. */
async function madePart(
  makePart: (signal: AbortSignal) => Promise<Candidate | undefined>,
  signal: AbortSignal,
): Promise<Candidate | undefined | "impossible" | { readonly unavailable: string }> {
  try {
    return await makePart(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError) || isBug(error)) throw error;
    return error.kind === "failed" ? "impossible" : { unavailable: messageOf(error) };
  }
}
