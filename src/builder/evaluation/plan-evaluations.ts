// Which hosts an evaluator takes, and in which order; and when it makes room for another.
import { revisionName, type Revision } from "../../protocol/overrides.ts";
import { type HostWork, priorityOf } from "../work.ts";

/** An evaluator that runs. */
export interface RunningEvaluator extends Revision {
  readonly repo: HostWork["repo"];
  /** What it has not come to, in its order, up to the first that another evaluator has taken: there it ends. */
  readonly ahead: readonly HostWork[];
  /** Since when, on the monotonic clock. */
  readonly startedAt: number;
  /** What its first host took, with all that its hosts share, or that of another process; undefined until that is known. */
  readonly firstMs: number | undefined;
  /** Since when it evaluates the host that it has; undefined while it has none. */
  readonly beganAt: number | undefined;
  /** What each further host took, on average; undefined until that is known. */
  readonly furtherMs: number | undefined;
  /** Memory of its process after the last host that it was through with; 0 until that is known. */
  readonly heldBytes: number;
  /** The most that a further host added to it. */
  readonly growthBytes: number;
}

export interface MemoryLimits {
  /** What the process cannot exceed. */
  readonly maxMemoryBytes: number;
  /** With so much it is replaced, where that pays. */
  readonly fullBytes: number;
}

export interface PlanOptions {
  readonly limits: MemoryLimits;
  /** Hosts for one evaluator at most. */
  readonly mostHosts: number;
  /** When each repo was last given a slot, as a growing number; absent for never. */
  readonly lastServed: ReadonlyMap<string, number>;
}

/** How long a further host takes, as a share of the first host's time, until it has been measured. */
const usualShareOfFurther = 0.5;
/** After this an evaluator makes room for a repo that has none. */
export const turnMs = 30_000;

/**
 * The hosts for an evaluator slot that is free, in their order; none where a further evaluator would not help.
 *
 * Interactive work comes before batch work; among equals the repo that was served least recently comes first, then who
 * asked first. An evaluator gets hosts of one revision only, and all of it that wait: what they share is evaluated once.
 * A further evaluator for the same hosts begins at their other end, so that the two meet in the middle, wherever that
 * turns out to be; one more begins in the middle. It has to evaluate again what the hosts share, so it comes only where what
 * is left takes longer than that.
 */
export function planEvaluation(
  waiting: readonly HostWork[],
  running: readonly RunningEvaluator[],
  { limits, mostHosts, lastServed }: PlanOptions,
  now: number,
): readonly HostWork[] {
  const served = ({ repo }: HostWork): number => lastServed.get(repo) ?? 0;
  const sorted = waiting.toSorted(
    (a, b) => compareUrgency(a, b) || served(a) - served(b) || a.order - b.order,
  );
  for (const group of Map.groupBy(sorted, (work) => `${priorityOf(work)} ${sourceName(work)}`).values()) {
    const [first] = group;
    if (first === undefined) continue;
    const source = sourceName(first);
    const lessUrgent = sorted.filter(
      (work) => compareUrgency(first, work) < 0 && sourceName(work) === source,
    );
    const evaluators = running
      .filter((evaluator) => sourceName(evaluator) === source)
      .map((evaluator, _, all) => ({
        ...evaluator,
        // What it will not come to, because it is full before, is nobody's. One of its room may be for the host that it has.
        ahead: evaluator.ahead.slice(
          0,
          Math.max(0, roomOf(evaluator, all, limits, now) - (evaluator.beganAt === undefined ? 0 : 1)),
        ),
      }));
    const plan = planFor(group, lessUrgent, evaluators, now);
    if (plan.length > 0) return withoutNamesakes(plan).slice(0, mostHosts);
  }
  return [];
}

/**
 * @param group hosts of one revision that are equally urgent
 * @param lessUrgent others of the same revision
 * @param evaluators of that revision
 */
function planFor(
  group: readonly HostWork[],
  lessUrgent: readonly HostWork[],
  evaluators: readonly RunningEvaluator[],
  now: number,
): readonly HostWork[] {
  const [member] = group;
  if (member === undefined) return [];
  const headed = evaluators.map((evaluator) => ({ evaluator, soon: before(evaluator.ahead, member) }));
  const covered = new Set(headed.flatMap(({ soon }) => soon));
  const untouched = group.filter((work) => !covered.has(work));
  // One that was once too much for an evaluator that held others comes first.
  const first = untouched.find((work) => work.goesFirst) ?? untouched[0];
  if (first !== undefined) {
    const rest = group.filter((work) => work !== first);
    return [first, ...awayFrom(evaluators, rest), ...awayFrom(evaluators, lessUrgent)];
  }

  const left = headed.map(({ evaluator, soon }) => {
    const sharers = headed.filter((other) => overlaps(other.soon, soon)).length;
    return { evaluator, soon, sharers, leftMs: leftMs(evaluator, soon.length, now) / Math.max(1, sharers) };
  });
  const [busiest] = left.toSorted((a, b) => b.leftMs - a.leftMs);
  if (busiest === undefined || busiest.soon.length === 0) return [];
  const { evaluator, soon, sharers } = busiest;
  if (evaluator.firstMs !== undefined && busiest.leftMs <= evaluator.firstMs) return [];
  const isMet = sharers > 1;
  const own = isMet ? soon.slice(Math.floor(soon.length / 2)) : soon.toReversed();
  return [...own, ...awayFrom(evaluators, lessUrgent)];
}

/** The hosts that an evaluator comes to before any that is less urgent. */
function before(ahead: readonly HostWork[], member: HostWork): readonly HostWork[] {
  const end = ahead.findIndex((work) => compareUrgency(member, work) < 0);
  return end < 0 ? ahead : ahead.slice(0, end);
}

/** A host that is to be evaluated again can wait beside the same one that is not; an evaluator knows hosts by their names. */
function withoutNamesakes(plan: readonly HostWork[]): readonly HostWork[] {
  const names = new Set<string>();
  return plan.filter(({ host }) => !names.has(host) && names.add(host));
}

/** First those that no evaluator is heading for, then the others from their far end; none that has to be first. */
function awayFrom(evaluators: readonly RunningEvaluator[], works: readonly HostWork[]): readonly HostWork[] {
  const headedFor = new Set(evaluators.flatMap(({ ahead }) => ahead));
  const alone = works.filter((work) => !work.goesFirst);
  return [
    ...alone.filter((work) => !headedFor.has(work)),
    ...alone.filter((work) => headedFor.has(work)).toReversed(),
  ];
}

function overlaps(one: readonly HostWork[], other: readonly HostWork[]): boolean {
  const works = new Set(one);
  return other.some((work) => works.has(work));
}

/**
 * What an evaluator still has to do with the host that it has and so many more; a time that is not known counts as long. A host
 * that is overdue, perhaps because it never ends, is expected to take as much longer as it is overdue.
 */
function leftMs(evaluator: RunningEvaluator, hosts: number, now: number): number {
  const { firstMs = turnMs, furtherMs = firstMs * usualShareOfFurther, beganAt } = evaluator;
  const current = evaluator.heldBytes === 0 ? firstMs : furtherMs;
  const ofCurrent = beganAt === undefined ? 0 : Math.abs(current - (now - beganAt));
  return ofCurrent + hosts * furtherMs;
}

/**
 * Whether an evaluator ends between two hosts for the sake of others: because its slot would go to what somebody waits for
 * and it would not come to such a host itself, or to a repo that has no slot, after it had its turn.
 *
 * @param next the host that would get its slot first: see `planEvaluation`
 */
export function givesWay(
  evaluator: RunningEvaluator,
  next: HostWork | undefined,
  running: readonly RunningEvaluator[],
  now: number,
): boolean {
  const [ahead] = evaluator.ahead;
  if (ahead === undefined || next === undefined) return false;
  const urgency = compareUrgency(next, ahead);
  if (urgency !== 0) return urgency < 0;
  return running.every(({ repo }) => repo !== next.repo) && now - evaluator.startedAt >= turnMs;
}

/** The share of its work that a replaced evaluator may have to repeat, in return for the memory that is freed. */
const mostForMemory = 1 / 2;
/** What a further host adds, of what the first took, while that is not known. */
const usualGrowth = 0.8;

/**
 * How many more hosts an evaluator takes before it is replaced because of the memory that it holds. Nix gives back nothing of
 * the hosts that it has evaluated: collecting garbage costs more than to start over, as long as hosts do not share most of
 * their evaluation.
 *
 * @param running evaluators of the same revision, itself among them
 */
export function roomOf(
  evaluator: RunningEvaluator,
  running: readonly RunningEvaluator[],
  { maxMemoryBytes, fullBytes }: MemoryLimits,
  now: number,
): number {
  const { heldBytes, furtherMs, startedAt } = evaluator;
  if (heldBytes === 0) return Number.POSITIVE_INFINITY;
  const growthBytes = evaluator.growthBytes > 0 ? evaluator.growthBytes : heldBytes * usualGrowth;
  const most = Math.max(0, Math.floor((maxMemoryBytes - heldBytes) / growthBytes));
  // What the first host of another took may be nearer to what starting over costs.
  const startMs = Math.min(...running.flatMap(({ firstMs }) => firstMs ?? []));
  const anewMs = startMs - (furtherMs ?? startMs * usualShareOfFurther);
  if (anewMs > (now - startedAt) * mostForMemory) return most;
  return Math.min(most, Math.max(0, Math.ceil((fullBytes - heldBytes) / growthBytes)));
}

/** Below zero when the first is more urgent. */
const compareUrgency = (a: HostWork, b: HostWork): number =>
  Number(priorityOf(a) === "batch") - Number(priorityOf(b) === "batch");

/** What one evaluator can evaluate together. */
export const sourceName = (of: Revision & Pick<HostWork, "repo">): string => `${of.repo}@${revisionName(of)}`;
