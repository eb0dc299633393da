// Proves that a cache serves closures: every path of them, as this machine's store has it, signed, with its NAR.
import { HomelabError, messageOf } from "../base/errors.ts";
import type { PathFacts } from "../protocol/store-paths/path-facts.ts";
import type { StorePath } from "../protocol/names.ts";
import { HangUpError, type CacheClient } from "../narinfo/cache-client.ts";
import type { Finding } from "./finding.ts";
import { judgeNarInfo, maxNarInfoBytes, type NarInfoJudgement } from "../narinfo/judge-narinfo.ts";
import { judgeNarContent } from "./nar-content.ts";
import { judgeNarStart, narStartBytes, type NarFault } from "./nar-start.ts";
import { hashPartOf, type NarInfo } from "../narinfo/narinfo.ts";
import type { Proofs } from "./proofs.ts";
import type { TrustedKeys } from "../narinfo/public-keys.ts";
import { workThrough } from "../base/work-through.ts";

export interface VerifyOptions {
  readonly client: CacheClient;
  readonly keys: TrustedKeys;
  readonly proofs: Proofs;
  /** How much of the NAR is fetched: its first bytes, or all of it, hashed. */
  readonly content: "start" | "whole";
  /** Paths at a time. */
  readonly atOnce: number;
  /** For one request; a whole NAR gets more by its size. */
  readonly timeoutMs: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  /** Paths that need no more asking. */
  readonly done: number;
  /** Paths that are known to belong to it so far. */
  readonly total: number;
}

/** What is known about a path's place in a closure. */
export interface ClosureNode {
  readonly narSize: number;
  readonly references: readonly StorePath[];
}

export interface Verification {
  /** Every path that was to be proven. One of which not even a narinfo could be had is only in `findings`. */
  readonly closure: ReadonlyMap<StorePath, ClosureNode>;
  /** Sorted by path. Empty means: all of it is proven. */
  readonly findings: readonly Finding[];
  /** How many paths were asked for; the others were proven before. */
  readonly asked: number;
  /** Paths whose NAR is compressed so that its content could only be compared with what the cache itself says. */
  readonly asSaid: readonly StorePath[];
}

/** After so many paths in a row without an answer, or refused, it is so with all, and the others are not asked for. */
const patience = 32;

/**
 * Proves paths that this machine's store has. The tops are asked for in any case; while one of them is not served,
 * nothing that was proven before counts.
 *
 * @param closure as `readClosureFacts` gives it for `tops`
 */
export async function verifyClosure(
  options: VerifyOptions,
  tops: readonly StorePath[],
  closure: ReadonlyMap<StorePath, PathFacts>,
  signal: AbortSignal,
): Promise<Verification> {
  const { proofs } = options;
  const isTop = new Set(tops);
  const run = createRun(options, signal);
  run.expect(closure.size);
  await run.prove([...isTop].map((path) => ({ path, facts: closure.get(path) })));
  const recalls = run.findings.length === 0;
  const rest = [...closure.values()].filter(({ path }) => !isTop.has(path));
  const known = recalls ? rest.filter(({ path, narHash }) => proofs.has(path, narHash)) : [];
  run.skip(known.length);
  const recalled = new Set(known);
  await run.prove(rest.filter((facts) => !recalled.has(facts)).map((facts) => ({ path: facts.path, facts })));
  await proofs.save();
  return run.end(closure);
}

/**
 * Proves what a cache itself says that belongs to these paths, for machines whose store does not have them: that it is
 * all there and signed, but not that it is what was built.
 */
export async function verifyWithoutStore(
  options: VerifyOptions,
  tops: readonly StorePath[],
  signal: AbortSignal,
): Promise<Verification> {
  const seen = new Map<StorePath, ClosureNode>();
  const queued = new Set(tops);
  const run = createRun(options, signal, (narInfo, queue) => {
    seen.set(narInfo.storePath, narInfo);
    const fresh = narInfo.references.filter((path) => !queued.has(path));
    for (const path of fresh) {
      queued.add(path);
      queue.push({ path, facts: undefined });
    }
    run.expect(fresh.length);
  });
  run.expect(queued.size);
  await run.prove([...queued].map((path) => ({ path, facts: undefined })));
  return run.end(seen);
}

interface Question {
  readonly path: StorePath;
  readonly facts: PathFacts | undefined;
}

interface Run {
  readonly findings: readonly Finding[];
  expect(more: number): void;
  skip(count: number): void;
  prove(questions: Question[]): Promise<void>;
  end(closure: Verification["closure"]): Verification;
}

function createRun(
  options: VerifyOptions,
  signal: AbortSignal,
  onNarInfo?: (narInfo: NarInfo, queue: Question[]) => void,
): Run {
  const { proofs, atOnce, onProgress } = options;
  const findings: Finding[] = [];
  const asSaid: StorePath[] = [];
  let [total, done, asked, unansweredInRow, refusedInRow] = [0, 0, 0, 0, 0];

  function finish(count: number): void {
    done += count;
    onProgress?.({ done, total });
  }

  async function proveOne({ path, facts }: Question, queue: Question[]): Promise<void> {
    if (unansweredInRow >= patience) {
      const detail = "not asked for: the cache has stopped answering";
      findings.push({ path, problem: "unanswered", detail });
      return finish(1);
    }
    if (refusedInRow >= patience) {
      findings.push({ path, problem: "refused", detail: "not asked for: the cache refuses everything" });
      return finish(1);
    }
    asked++;
    try {
      const judgement = await judgePath(options, path, facts, signal, (narInfo) =>
        onNarInfo?.(narInfo, queue),
      );
      unansweredInRow = 0;
      refusedInRow = judgement.type === "fault" && judgement.problem === "refused" ? refusedInRow + 1 : 0;
      if (judgement.type === "fault") {
        // A refusal says nothing about what is there.
        if (judgement.problem !== "refused") proofs.forget(path);
        findings.push({ path, problem: judgement.problem, detail: judgement.detail });
      } else {
        proofs.add(path, judgement.narInfo.narHash, judgement.signedBy);
        if (judgement.isAsSaid) asSaid.push(path);
      }
    } catch (error) {
      if (!(error instanceof HomelabError)) throw error;
      unansweredInRow++;
      findings.push({ path, problem: "unanswered", detail: messageOf(error) });
    }
    finish(1);
  }

  return {
    findings,
    expect: (more) => void (total += more),
    skip: finish,
    prove: async (questions) =>
      workThrough(questions, atOnce, async (question) => proveOne(question, questions)),
    end: (closure) => ({
      closure,
      findings: findings.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      asked,
      asSaid: asSaid.toSorted(),
    }),
  };
}

type PathJudgement =
  | (Extract<NarInfoJudgement, { type: "good" }> & { readonly isAsSaid: boolean })
  | Extract<NarInfoJudgement, { type: "fault" }>;

/** @throws HomelabError `unavailable` when the cache gives no answer */
async function judgePath(
  options: VerifyOptions,
  path: StorePath,
  facts: PathFacts | undefined,
  signal: AbortSignal,
  onNarInfo: (narInfo: NarInfo) => void,
): Promise<PathJudgement> {
  const { client, keys } = options;
  const answer = await client.get(`${hashPartOf(path)}.narinfo`, { maxBytes: maxNarInfoBytes }, signal);
  const judgement = await judgeNarInfo(path, facts, answer, keys);
  if (judgement.narInfo !== undefined) onNarInfo(judgement.narInfo);
  if (judgement.type === "fault") return judgement;
  const { fault, isAsSaid } = await judgeNar(options, judgement.narInfo, signal).catch(faultOfHangUp);
  return fault === undefined ? { ...judgement, isAsSaid } : { type: "fault", ...fault };
}

interface NarJudgement {
  readonly fault?: NarFault;
  readonly isAsSaid: boolean;
}

/** Harmonia ends the connection where a path is in its database and not on its disk. It answered for the narinfo. */
function faultOfHangUp(error: unknown): NarJudgement {
  if (!(error instanceof HangUpError)) throw error;
  const detail = "the cache hangs up when it is asked for its NAR";
  return { fault: { problem: "corrupt", detail }, isAsSaid: false };
}

async function judgeNar(
  { client, content, timeoutMs }: VerifyOptions,
  narInfo: NarInfo,
  signal: AbortSignal,
): Promise<NarJudgement> {
  if (content === "whole") {
    const judgement = await judgeNarContent(client, narInfo, timeoutMs, signal);
    return judgement.type === "fault"
      ? { fault: judgement.fault, isAsSaid: false }
      : { isAsSaid: judgement.type === "served-as-said" };
  }
  const answer = await client.get(narInfo.url, { maxBytes: narStartBytes, partly: true }, signal);
  const fault = judgeNarStart(narInfo, answer);
  return fault === undefined ? { isAsSaid: false } : { fault, isAsSaid: false };
}
