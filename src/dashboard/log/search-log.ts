// Search over a whole log, in a thread of its own: a pattern can take forever, and the server answers others meanwhile.
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { programDirectory } from "../../base/program-directory.ts";
import { HomelabError } from "../../base/errors.ts";

export interface SearchHit {
  readonly number: number;
  /** The beginning of the line, with its colours. */
  readonly line: string;
}

export interface SearchResult {
  /** Lines that match. */
  readonly count: number;
  readonly hits: readonly SearchHit[];
}

export interface SearchSpecification {
  /** Plain text without regard to case, or `/pattern/` with or without `i`. */
  readonly query: string;
  /** Hits that are given, from this one on. */
  readonly first: number;
  readonly most: number;
}

/** Milliseconds of processor time that matching may take, however busy the machine is. */
const matchingMs = 2000;
/** Milliseconds after which one looks how much it took. */
const lookEveryMs = 100;
/** Characters that are sent at once. */
const batchLength = 512 * 1024;
const longestQuery = 500;

export type SearchQuestion =
  | {
      readonly type: "start";
      /** Without anything that means something in a pattern: no line has more than the pattern says. */
      readonly isText: boolean;
      readonly source: string;
      readonly flags: string;
      readonly first: number;
      readonly most: number;
    }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "end" };
export type SearchAnswer = { readonly type: "ready" } | ({ readonly type: "result" } & SearchResult);

export interface Pattern {
  readonly source: string;
  readonly flags: string;
  readonly isText: boolean;
}

/** @throws HomelabError `usage` if the text is not a pattern */
export function parseQuery(query: string): Pattern {
  const refuse = (why: string): HomelabError =>
    new HomelabError("usage", `this is not a pattern: ${why}`, {
      code: "BAD_ARGUMENTS",
      hint: "search for plain text, or for /pattern/ with JavaScript's rules",
    });
  if (query.length > longestQuery) throw refuse(`more than ${longestQuery} characters`);
  const { pattern, flags = "" } = /^\/(?<pattern>.+)\/(?<flags>i?)$/.exec(query)?.groups ?? {};
  if (pattern === undefined) {
    return { source: query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), flags: "iu", isText: true };
  }
  try {
    return { source: new RegExp(pattern, `${flags}u`).source, flags: `${flags}u`, isText: false };
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : "it cannot be read");
  }
}

/**
 * @param pieces of the log's text, in order
 * @throws HomelabError `usage` if the text is not a pattern, and `refused` `SEARCH_TOO_SLOW` if matching takes too long
 */
export async function searchLog(
  specification: SearchSpecification,
  pieces: AsyncIterable<{ readonly text: string }>,
  signal: AbortSignal,
): Promise<SearchResult> {
  const pattern = parseQuery(specification.query);
  const worker = new Worker(
    join(programDirectory, "dashboard/log", `search-worker${extname(import.meta.filename)}`),
    {
      resourceLimits: { maxOldGenerationSizeMb: 128 },
      env: {},
    },
  );
  async function spentMs(): Promise<number> {
    const { user, system } = await worker.cpuUsage();
    return (user + system) / 1000;
  }
  /** What starting took. */
  let startMs = Number.POSITIVE_INFINITY;
  async function failWhenSlow(fail: (error: unknown) => void): Promise<void> {
    const spent = await spentMs().catch(() => 0);
    if (spent - startMs > matchingMs) fail(tooSlow());
  }
  async function ask(question: SearchQuestion): Promise<SearchAnswer> {
    const answer = Promise.withResolvers<SearchAnswer>();
    const fail = (error: unknown): void => answer.reject(error);
    const look = setInterval(() => {
      // A thread that has not started, or has ended, tells nothing; an error of it comes by itself.
      void failWhenSlow(fail);
    }, lookEveryMs);
    worker.once("message", answer.resolve).once("error", fail);
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(question);
      return await answer.promise;
    } finally {
      clearInterval(look);
      worker.off("message", answer.resolve).off("error", fail);
    }
  }
  try {
    await ask({ type: "start", ...pattern, first: specification.first, most: specification.most });
    startMs = await spentMs();
    let text = "";
    for await (const piece of pieces) {
      text += piece.text;
      if (text.length < batchLength) continue;
      await ask({ type: "text", text });
      text = "";
      signal.throwIfAborted();
    }
    if (text !== "") await ask({ type: "text", text });
    const answer = await ask({ type: "end" });
    return answer.type === "result" ? { count: answer.count, hits: answer.hits } : { count: 0, hits: [] };
  } finally {
    await worker.terminate();
  }
}

const tooSlow = (): HomelabError =>
  new HomelabError("refused", `the pattern took longer than ${matchingMs / 1000} s and was stopped`, {
    code: "SEARCH_TOO_SLOW",
    hint: "search for plain text, or for a pattern without nested repetition",
  });
