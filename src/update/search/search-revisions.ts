// Which revision of an input is the first that breaks hosts, by as few questions as possible.

/** `skip`: the answer for this one is unknown, as `git bisect skip`. */
export type RevisionVerdict = "good" | "bad" | "skip";

export interface RevisionSearch {
  /** Revisions are numbered from 1 to this, oldest first; 0 is the one before the first. */
  readonly count: number;
  /** What is known about the two ends; of an end that is not in it is asked first. */
  readonly known: ReadonlyMap<number, RevisionVerdict>;
  /** No number is asked about twice. Undefined: nobody is to be asked any more. */
  readonly test: (number: number) => Promise<RevisionVerdict | undefined>;
}

export interface RevisionsSearched {
  /** The newest that was proven good before `bad`; undefined when not even number 0 was. */
  readonly good: number | undefined;
  /** The oldest that was proven bad; undefined when not even the last was. It is the first bad one at `good + 1`. */
  readonly bad: number | undefined;
  /** How many were asked about, and of how many of these nobody could say. */
  readonly probes: number;
  readonly skipped: number;
  /**
   * - `found`: `bad` is the first bad revision
   * - `skipped`: all between `good` and `bad` were skipped
   * - `stopped`: nobody was to be asked any more
   * - `contradiction`: the oldest is bad or the newest is good, so there is nothing to be found between them
   */
  readonly end: "found" | "skipped" | "stopped" | "contradiction";
}

/**
 * Asks about the middle one of those that are left. Of `n` revisions at most ⌈log₂ n⌉ are asked about, and one more
 * for each that is skipped and for each end that is not known.
 */
export async function searchRevisions({ count, known, test }: RevisionSearch): Promise<RevisionsSearched> {
  let probes = 0;
  let skipped = 0;
  async function ask(number: number): Promise<RevisionVerdict | undefined> {
    const verdict = await test(number);
    if (verdict !== undefined) probes++;
    if (verdict === "skip") skipped++;
    return verdict;
  }
  const result = (
    end: RevisionsSearched["end"],
    good: number | undefined,
    bad: number | undefined,
  ): RevisionsSearched => ({ good, bad, probes, skipped, end });

  const last = known.get(count) ?? (await ask(count));
  if (last === undefined) return result("stopped", undefined, undefined);
  if (last !== "bad") return result(last === "good" ? "contradiction" : "skipped", undefined, undefined);
  const first = known.get(0) ?? (await ask(0));
  if (first === undefined) return result("stopped", undefined, count);
  if (first !== "good") return result(first === "bad" ? "contradiction" : "skipped", undefined, count);

  let [good, bad] = [0, count];
  let left = numbersBetween(good, bad);
  for (;;) {
    const middle = left[Math.floor(left.length / 2)];
    if (middle === undefined) return result(bad === good + 1 ? "found" : "skipped", good, bad);
    const verdict = await ask(middle);
    if (verdict === undefined) return result("stopped", good, bad);
    if (verdict === "good") good = middle;
    if (verdict === "bad") bad = middle;
    left = left.filter((number) => number > good && number < bad && number !== middle);
  }
}

const numbersBetween = (low: number, high: number): readonly number[] =>
  Array.from({ length: high - low - 1 }, (_, index) => low + 1 + index);
