// News of a rollout for people: that it has started, that it was halted and why, that it has ended. They follow from the
// rollout's log alone, and each is told once.
import * as v from "valibot";
import { BranchName, Commit, HostName, RepoName } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { haltCodes, RolloutId, rolloutOutcomes, rolloutTriggers } from "./rollout-events.ts";
import { failedHosts, isPlanned, type Rollout, type RolloutHostStatus } from "./rollout.ts";

/** How many hosts are named, and how much of a text; the rollout's log has all of it. */
export const rolloutNewsLimits = { hosts: 50, text: 500 } as const;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());
const text = v.pipe(v.string(), v.maxLength(rolloutNewsLimits.text));
const who = v.pipe(v.string(), v.maxLength(64));

/** Hosts as far as they are named, and how many there are. */
const hosts = <Host extends v.GenericSchema>(host: Host) =>
  v.object({ count, hosts: v.pipe(v.array(host), v.maxLength(rolloutNewsLimits.hosts)) });

const common = {
  rollout: RolloutId,
  repo: RepoName,
  branch: v.optional(BranchName),
  commit: Commit,
  trigger: v.picklist(rolloutTriggers),
  /** The person who requested it, or the deployer. */
  by: who,
  at: time,
  /** Hosts of the plan, and those of them that run the new system. */
  planned: count,
  there: count,
  waves: count,
  failed: hosts(v.object({ host: HostName, detail: v.optional(text) })),
  absent: hosts(HostName),
};

export const RolloutNews = v.variant("type", [
  v.object({ type: v.literal("started"), ...common, reason: v.optional(text) }),
  v.object({
    type: v.literal("halted"),
    ...common,
    code: v.picklist(haltCodes),
    detail: text,
    host: v.optional(HostName),
  }),
  v.object({
    type: v.literal("finished"),
    ...common,
    outcome: v.picklist(rolloutOutcomes),
    detail: v.optional(text),
    /** Who aborted it, and why. */
    abortedBy: v.optional(who),
    reason: v.optional(text),
  }),
]);
export type RolloutNews = v.InferOutput<typeof RolloutNews>;

export const encodeRolloutNews = (news: RolloutNews): Uint8Array => encode(news);
export const decodeRolloutNews = (bytes: Uint8Array): RolloutNews =>
  decode(RolloutNews, bytes, { what: "rollout news", maxBytes: 64 * 1024 });

const order = { started: 1, halted: 2, finished: 3 } as const;

/** The same for the same event of a rollout; it can be halted more than once. Ids of later events sort behind. */
export const rolloutNewsId = ({ rollout, type, at }: RolloutNews): string =>
  `${rollout}.${order[type]}-${type}-${Date.parse(at)}`;

/**
 * What people should be notified of now; undefined if nothing. They would be notified too often of rollouts that order
 * nothing, of those that were superseded before they began, and of those for hosts that came back, so these are left out
 * unless something goes wrong.
 */
export function newsOf(rollout: Rollout): RolloutNews | undefined {
  const { end, halted, aborted, startedAt, trigger, created } = rollout;
  const isQuiet = trigger === "returned" || !ordersHosts(rollout);
  const about = partsOf(rollout);
  if (end !== undefined) {
    const { outcome, detail, at } = end;
    const isExpected = outcome.startsWith("completed") && about.there > 0;
    if (outcome === "superseded" || (isQuiet && isExpected)) return undefined;
    const abort = aborted === undefined ? {} : { abortedBy: aborted.by, reason: cut(aborted.reason) };
    return { type: "finished", ...about, at, outcome, detail: cut(detail), ...abort };
  }
  if (aborted !== undefined) return undefined;
  if (halted !== undefined) {
    const { code, detail, host, at } = halted;
    return { type: "halted", ...about, at, code, detail: cut(detail) ?? "", host };
  }
  if (startedAt === undefined || !isPlanned(rollout) || isQuiet) return undefined;
  return { type: "started", ...about, at: startedAt, reason: cut(created.reason) };
}

/** Some host has its turn, or had it. */
const ordersHosts = ({ hosts: planned }: Rollout): boolean =>
  [...planned.values()].some(({ status, order: newest }) => newest !== undefined || status === "waiting");

function partsOf(rollout: Rollout) {
  const { id, repo, branch, commit, trigger, created, waves } = rollout;
  const failed = failedHosts(rollout);
  const absent = withStatus(rollout, "absent");
  const most = rolloutNewsLimits.hosts;
  return {
    rollout: id,
    repo,
    branch,
    commit,
    trigger,
    by: created.by,
    planned: rollout.hosts.size,
    there: withStatus(rollout, "done", "unchanged").length,
    waves: waves.length,
    failed: {
      count: failed.length,
      hosts: failed.slice(0, most).map(({ host, result }) => ({
        host,
        detail: cut(result?.detail ?? result?.code ?? result?.outcome),
      })),
    },
    absent: { count: absent.length, hosts: absent.slice(0, most).map(({ host }) => host) },
  };
}

const withStatus = ({ hosts: planned }: Rollout, ...of: readonly RolloutHostStatus[]) =>
  [...planned.values()].filter(({ status }) => of.includes(status));

function cut<Text extends string | undefined>(words: Text): Text | string {
  const { text: most } = rolloutNewsLimits;
  if (words === undefined || words.length <= most) return words;
  return `${words.slice(0, most - 1).toWellFormed()}…`;
}
