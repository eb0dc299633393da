// What runs where: from what hosts say about themselves, and what was built for them.
import { bytesOf } from "../protocol/deploy/order.ts";
import { decodeStatement, type Statement } from "../protocol/deploy/statement.ts";
import { isAbsent, type Hold, type HostState } from "../protocol/deploy/host-state.ts";
import { fullName, type HostName, type RepoName } from "../protocol/names.ts";
import type { BuildSummary, HostResult } from "../protocol/results.ts";

export type HostCondition =
  | { readonly type: "ok" | "absent" | "rollback-failed" | "never-spoke" | "reporting" | "clock-wrong" }
  | { readonly type: "busy"; readonly phase: string }
  | { readonly type: "held"; readonly reason: string }
  | { readonly type: "last-failed"; readonly outcome: string }
  | { readonly type: "drift" | "reboot-needed" | "failed-units"; readonly what: readonly string[] };

export interface RunningHost {
  readonly repo: RepoName;
  readonly host: HostName;
  readonly state?: HostState;
  /** The commit that runs, where an order brought it. */
  readonly commit?: string;
  /** Newer commits of the branch that were built; 0 for none, undefined where nobody can tell. */
  readonly behind?: number;
  /** The most serious first; never empty. */
  readonly conditions: readonly HostCondition[];
}

export interface RunningFacts {
  readonly rows: readonly HostResult[];
  readonly states: readonly HostState[];
  readonly holdOf: (host: { readonly repo: RepoName; readonly host: HostName }) => Hold | undefined;
  /** Newest first. */
  readonly builds: readonly BuildSummary[];
}

/** The hold of a host, or of its whole repo. */
export const holdOf = (
  holds: ReadonlyMap<string, Hold>,
  { repo, host }: { readonly repo: RepoName; readonly host: HostName },
): Hold | undefined => holds.get(`${repo}/${host}`) ?? holds.get(`${repo}/all`);

const inOrder = new Intl.Collator("en").compare;

/** By repo and name: every host that ever spoke or was built. */
export function runningHosts(
  { rows, states, holdOf: heldBy, builds }: RunningFacts,
  now: Date,
): readonly RunningHost[] {
  const rowsByName = new Map(rows.map((row) => [fullName(row), row]));
  const statesByName = new Map(states.map((state) => [fullName(state), state]));
  const names = new Map([...rows, ...states].map((each) => [fullName(each), each]));
  const commits = createCommitLists(builds);
  return [...names]
    .toSorted(([, a], [, b]) => inOrder(a.repo, b.repo) || inOrder(a.host, b.host))
    .map(([name, { repo, host }]) => {
      const state = statesByName.get(name);
      return {
        repo,
        host,
        state,
        commit: state?.running.commit,
        behind: state === undefined ? undefined : behindOf(state, rowsByName.get(name), commits),
        conditions: conditionsOf(state, heldBy({ repo, host }), now),
      };
    });
}

type CommitLists = (repo: RepoName, branch: string | undefined) => readonly string[];

/** The commits of each branch that were built, newest first; made once for all hosts of it. */
function createCommitLists(builds: readonly BuildSummary[]): CommitLists {
  const lists = new Map<string, readonly string[]>();
  return (repo, branch) => {
    const key = `${repo} ${branch ?? ""}`;
    const known = lists.get(key);
    if (known !== undefined) return known;
    const commits = builds.flatMap(({ sources }) =>
      sources
        .filter((source) => source.repo === repo && source.branch === branch)
        .map(({ commit }) => commit),
    );
    const list = [...new Set<string>(commits)];
    lists.set(key, list);
    return list;
  };
}

function behindOf(
  { repo, running }: HostState,
  row: HostResult | undefined,
  commits: CommitLists,
): number | undefined {
  const newest = row?.stated === undefined ? undefined : statedOf(row.stated);
  if (newest !== undefined && newest.path === running.path) return 0;
  if (running.commit === undefined) return undefined;
  const at = commits(repo, newest?.branch).indexOf(running.commit);
  return at < 0 ? undefined : at;
}

/** As it says, to be shown: whoever orders something by it verifies it, which for a thousand hosts takes a while. */
function statedOf({ statement }: NonNullable<HostResult["stated"]>): Statement | undefined {
  try {
    return decodeStatement(bytesOf(statement));
  } catch {
    return undefined;
  }
}

function conditionsOf(
  state: HostState | undefined,
  hold: Hold | undefined,
  now: Date,
): readonly HostCondition[] {
  if (state === undefined) return [{ type: "never-spoke" }];
  const { last, order, drift, reboot, failedUnits, clock, migration } = state;
  const isOver = hold?.until !== undefined && Date.parse(hold.until) < now.getTime();
  const reason = state.hold ?? (isOver ? undefined : hold?.reason);
  const failed = last !== undefined && ["failed", "rolled-back", "rejected"].includes(last.outcome);
  const found: HostCondition[] = [
    ...(last?.outcome === "rollback-failed" ? [{ type: "rollback-failed" } as const] : []),
    ...(isAbsent(state, now) ? [{ type: "absent" } as const] : []),
    ...(order === undefined ? [] : [{ type: "busy", phase: order.phase } as const]),
    ...(failed ? [{ type: "last-failed", outcome: last.outcome } as const] : []),
    ...(clock.ok ? [] : [{ type: "clock-wrong" } as const]),
    ...(drift.length === 0 ? [] : [{ type: "drift", what: drift } as const]),
    ...(reboot === undefined || reboot.needed.length === 0
      ? []
      : [{ type: "reboot-needed", what: reboot.needed } as const]),
    ...(failedUnits.length === 0 ? [] : [{ type: "failed-units", what: failedUnits } as const]),
    ...(reason === undefined ? [] : [{ type: "held", reason } as const]),
    ...(migration ? [{ type: "reporting" } as const] : []),
  ];
  return found.length === 0 ? [{ type: "ok" }] : found;
}
