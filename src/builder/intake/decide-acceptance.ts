// Whether a request can be served, and what exactly it is about. Pure: the commits and inventories are facts that
// were found before.
import { didYouMean } from "../../protocol/did-you-mean.ts";
import {
  boundedText,
  type EventOf,
  type HostRef,
  type SkippedHost,
  type Source,
  type UnresolvedRepo,
} from "../../protocol/events.ts";
import { chooseHosts, type HostSelector } from "../../protocol/host-selectors.ts";
import { allowedFor, isHostName, type Commit, type RepoName } from "../../protocol/names.ts";
import type { BuildRequest, Trigger } from "../../protocol/request.ts";
import type { Target } from "../../protocol/subjects.ts";

/** One repo at the commit that was found for the request. */
export interface Inventory {
  readonly source: Source & { readonly commit: Commit };
  /** Every attribute of `nixosConfigurations`, usable or not. */
  readonly names: readonly string[];
}

/** Why a host is left out by configuration; nothing when it is not. */
export type Exclusion = (repo: RepoName, host: string) => string | undefined;

export type Rejection = Omit<EventOf<"rejected">, "type" | "replyTo">;

export type Acceptance =
  | {
      readonly type: "accept";
      readonly sources: Source[];
      readonly hosts: HostRef[];
      readonly skipped: SkippedHost[];
      /** Nobody chose among the hosts. */
      readonly complete?: true;
      /** Repos that could not be read: their hosts are unknown. */
      readonly unresolved?: readonly UnresolvedRepo[];
    }
  /** Nothing can be said without the repos that could not be read. */
  | { readonly type: "unknown" }
  | ({ readonly type: "reject" } & Rejection);

const reject = (code: string, message: string, hint?: string): Acceptance => ({
  type: "reject",
  code,
  message,
  hint,
});

/**
 * What caused the build. Only a build of all hosts at the head of the branch, which the builder found itself, can come
 * from polling: metrics take its hosts for all that there are.
 */
export function triggerOf(
  request: Pick<BuildRequest, "trigger" | "rev">,
  { sources, complete }: Pick<Extract<Acceptance, { type: "accept" }>, "sources" | "complete">,
): Trigger {
  const { trigger = "manual", rev } = request;
  const isPolled =
    rev !== undefined && complete === true && sources.every(({ branch }) => branch !== undefined);
  return trigger === "poll" && !isPolled ? "manual" : trigger;
}

/** Which hosts the request is about, checked against the inventories of the repos that its subject names. */
export function decideAcceptance(
  target: Target,
  request: Pick<BuildRequest, "hosts">,
  inventories: readonly Inventory[],
  exclusion: Exclusion,
  unresolved: readonly UnresolvedRepo[] = [],
): Acceptance {
  const acceptance = decideOfKnown(target, request, inventories, exclusion);
  if (unresolved.length === 0) return acceptance;
  if (acceptance.type === "accept") {
    const { complete: _, ...others } = acceptance;
    return { ...others, unresolved };
  }
  // What seems to be nowhere may be in one of them.
  const isOpen =
    acceptance.type === "reject" && (acceptance.code === "UNKNOWN_HOST" || acceptance.code === "NO_HOSTS");
  return isOpen ? { type: "unknown" } : acceptance;
}

function decideOfKnown(
  target: Target,
  request: Pick<BuildRequest, "hosts">,
  inventories: readonly Inventory[],
  exclusion: Exclusion,
): Acceptance {
  const wanted = target.host === "all" ? request.hosts : [target.host];
  if (target.host !== "all" && request.hosts !== undefined) {
    return reject(
      "HOSTS_TWICE",
      "the subject names a host and the request names hosts",
      "publish to build.<repo>.all to use `hosts`",
    );
  }
  return wanted === undefined
    ? acceptAll(inventories, exclusion)
    : acceptSome(wanted, inventories, exclusion);
}

interface DividedHosts {
  readonly hosts: HostRef[];
  readonly skipped: SkippedHost[];
}

/** The hosts that are built, and those that are not. */
function divideHosts(
  inventories: readonly Inventory[],
  exclusion: Exclusion,
  isWanted: (name: string) => boolean,
): DividedHosts {
  const hosts: HostRef[] = [];
  const skipped: SkippedHost[] = [];
  for (const { source, names } of inventories) {
    for (const name of names.filter(isWanted)) {
      const reason = reasonToSkip(source.repo, name, exclusion);
      if (reason === undefined && isHostName(name)) hosts.push({ repo: source.repo, host: name });
      else
        skipped.push({
          repo: source.repo,
          host: name.slice(0, 1000),
          reason: reason ?? "its name cannot be used",
        });
    }
  }
  return { hosts, skipped };
}

function acceptAll(inventories: readonly Inventory[], exclusion: Exclusion): Acceptance {
  const { hosts, skipped } = divideHosts(inventories, exclusion, () => true);
  const acceptance = decideNonEmpty(
    inventories.map(({ source }) => source),
    hosts,
    skipped,
  );
  return acceptance.type === "accept" ? { ...acceptance, complete: true } : acceptance;
}

function acceptSome(
  wanted: readonly HostSelector[],
  inventories: readonly Inventory[],
  exclusion: Exclusion,
): Acceptance {
  const {
    names: named,
    matched,
    unmet,
  } = chooseHosts(wanted, new Set(inventories.flatMap((inventory) => inventory.names)));
  const [first] = unmet;
  if (first !== undefined) return rejectUnknownHost(first.replace(/^!/, ""), inventories);
  const { hosts, skipped } = divideHosts(inventories, exclusion, (name) => matched.has(name));
  for (const host of named) {
    if (matched.has(host)) continue;
    const homes = inventories.filter(({ names }) => names.includes(host)).map(({ source }) => source.repo);
    const [repo] = homes;
    if (repo === undefined) return rejectUnknownHost(host, inventories);
    if (homes.length > 1) {
      return reject(
        "AMBIGUOUS_HOST",
        `${homes.join(" and ")} both have a host ${host}`,
        `name the repo: publish to build.${repo}.${host}, or use --repo ${repo}`,
      );
    }
    const reason = exclusion(repo, host);
    if (reason === undefined) hosts.push({ repo, host });
    else skipped.push({ repo, host, reason });
  }
  const used = new Set([...hosts, ...skipped].map(({ repo }) => repo));
  return decideNonEmpty(
    inventories.map(({ source }) => source).filter(({ repo }) => used.has(repo)),
    hosts,
    skipped,
  );
}

/** Zero hosts is an error: it would otherwise be a success that built nothing. */
function decideNonEmpty(sources: Source[], hosts: HostRef[], skipped: SkippedHost[]): Acceptance {
  if (hosts.length > 0) return { type: "accept", sources, hosts, skipped };
  if (sources.length === 0) {
    return reject("NO_HOSTS", "the request leaves every host out that it names", "leave out fewer hosts");
  }
  const where = sources.map(({ repo, commit }) => `${repo} at ${commit.slice(0, 7)}`).join(", ");
  if (skipped.length === 0) {
    return reject("NO_HOSTS", `there is no host in ${where}`, "its flake must have nixosConfigurations");
  }
  const reasons = skipped.slice(0, 5).map(({ host, reason }) => `${shortName(host)}: ${reason}`);
  return reject(
    "NO_HOSTS",
    `every host asked for in ${where} is left out (${reasons.join("; ")})`,
    "see `include` and `exclude` in the builder's configuration",
  );
}

function rejectUnknownHost(host: string, inventories: readonly Inventory[]): Acceptance {
  const all = inventories.flatMap(({ names }) => names);
  const where = inventories
    .map(({ source }) => `${source.repo} at ${source.commit.slice(0, 7)}`)
    .join(" or ");
  const near = didYouMean(host, all);
  const hint =
    near === undefined
      ? `it has ${all.length === 1 ? "1 host" : `${all.length} hosts`}${all.length === 0 ? "" : `, such as ${all.slice(0, 5).map(shortName).join(", ")}`}`
      : `did you mean ${near}?`;
  const missing = isHostName(host) ? `there is no host ${host}` : `no host matches ${host}`;
  return reject("UNKNOWN_HOST", `${missing} in ${where}`, hint);
}

/** An attribute can have any length. */
const shortName = (name: string): string => boundedText(name, 128);

function reasonToSkip(repo: RepoName, name: string, exclusion: Exclusion): string | undefined {
  if (!isHostName(name)) return `its name cannot be used: allowed is ${allowedFor("host")}`;
  return exclusion(repo, name);
}
