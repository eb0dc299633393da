// News of a repo's branch: hosts that no longer build on it, and hosts that build again. Told once for each change.
import * as v from "valibot";
import { BranchName, BuildId, Commit, HostName, RepoName } from "./names.ts";
import { HostVerdict } from "./verdicts.ts";
import { decode, encode, limits } from "./wire.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());

/** How many hosts are named, and how much of a reason; the build has all of it. */
export const newsLimits = { failing: 50, mended: 200, reason: 300 } as const;
const reason = v.pipe(v.string(), v.maxLength(newsLimits.reason));

const FailingHost = v.object({ host: HostName, verdict: HostVerdict, reason: v.optional(reason) });
export type FailingHost = v.InferOutput<typeof FailingHost>;

/** Hosts by name, as far as they are named, and how many there are. */
const hosts = <Host extends v.GenericSchema>(host: Host, most: number) =>
  v.object({ count, hosts: v.pipe(v.array(host), v.maxLength(most)) });

export const BranchNews = v.object({
  repo: RepoName,
  branch: v.optional(BranchName),
  /** The build that shows it, and the commit that it built. */
  build: BuildId,
  commit: v.optional(Commit),
  at: time,
  /** Hosts that no longer build. */
  failing: hosts(FailingHost, newsLimits.failing),
  /** Hosts that build again. */
  mended: hosts(HostName, newsLimits.mended),
  /** How many others still fail. */
  stillFailing: count,
  /** Why the hosts cannot be listed any more; null where they can again; absent where that did not change. */
  unlisted: v.optional(v.nullable(reason)),
});
export type BranchNews = v.InferOutput<typeof BranchNews>;

export const encodeBranchNews = (news: BranchNews): Uint8Array => encode(news);
export const decodeBranchNews = (bytes: Uint8Array): BranchNews =>
  decode(BranchNews, bytes, { what: "branch news", maxBytes: limits.result });

/** One build brings news of a repo once. Ids of builds sort by time. */
export const branchNewsId = ({ repo, build }: Pick<BranchNews, "repo" | "build">): string =>
  `${build}.${repo}`;

/** What people were last told about a repo's branch: see docs/reference/protocol.md. */
export const ToldFailures = v.object({
  repo: RepoName,
  /** Hosts that were told to fail and not to be mended. */
  failing: v.array(HostName),
  /** The newest build of the branch of which it is known whether its hosts could be listed. */
  listed: v.optional(v.object({ build: BuildId, isListed: v.boolean() })),
});
export type ToldFailures = v.InferOutput<typeof ToldFailures>;

export const encodeToldFailures = (told: ToldFailures): Uint8Array => encode(told);
export const decodeToldFailures = (bytes: Uint8Array): ToldFailures =>
  decode(ToldFailures, bytes, { what: "row of told failures", maxBytes: limits.result });
