// `homelab-deploy cache retain`: what stays and why, and what goes.
import { isDroppedWhole, type CommitRetention, type KeepReason } from "../../../cache/decide-retention.ts";
import type { RetentionResult } from "../../../cache/retain.ts";
import type { RepoName } from "../../../protocol/names.ts";
import { formatBytes } from "../../../words/duration.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { renderTable } from "./table.ts";

const why: Readonly<Record<KeepReason, string>> = {
  pinned: "pinned",
  "open-update": "open update",
  deployed: "deployed",
  "maybe-deployed": "hosts may run it",
  newest: "newest",
};

export interface Retained extends Pick<RetentionResult, "inUse"> {
  /** Nothing was changed. */
  readonly planned: boolean;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly commits: readonly CommitRetention[];
  /** Repos with roots that are not configured any more: they stay until they are named. */
  readonly unconfigured: readonly RepoName[];
}

/** Text that ends in a newline. */
export function renderRetained(retained: Retained, print: ListPrint): string {
  const { planned, beforeBytes, afterBytes, commits, inUse } = retained;
  const freed = `${formatBytes(beforeBytes - afterBytes)} of ${formatBytes(beforeBytes)}`;
  const lines = [
    planned
      ? `would give ${freed} to the garbage collector; nothing was changed`
      : `${freed} can now be collected; run nix-collect-garbage or wait for its timer`,
    ...inUse.map(
      ({ repo, commit }) => `${repo}@${commit.slice(0, 7)}: kept for now, because a build is using it`,
    ),
  ];
  return `${renderRetention(commits, print)}\n${lines.join("\n")}\n`;
}

/** Additive only. */
export const retainedJson = ({ planned, beforeBytes, afterBytes, commits, inUse }: Retained): object => ({
  planned,
  beforeBytes,
  afterBytes,
  commits: commits.map(retentionJson),
  inUse: inUse.map(({ repo, commit }) => ({ repo, commit })),
});

const retentionJson = ({ rooted, kept, dropped }: CommitRetention): Readonly<Record<string, unknown>> => ({
  repo: rooted.repo,
  commit: rooted.commit,
  usedAt: rooted.usedAt.toISOString(),
  wasHead: rooted.wasHead,
  pin: rooted.pin,
  kept: Object.fromEntries(kept),
  dropped,
});

/** Lines that end in a newline. */
export function renderRetention(plan: readonly CommitRetention[], print: ListPrint): string {
  const { style, width } = print;
  const table = renderTable(
    {
      columns: [
        { title: "Repo" },
        { title: "Commit" },
        { title: "Used" },
        { title: "Kept" },
        { title: "Dropped" },
        { title: "Why kept", flexible: true },
      ],
      rows: plan.map((retention) => {
        const { rooted, kept, dropped } = retention;
        const reasons = [...new Set(kept.values())].map((reason) => why[reason]);
        const note = rooted.pin === undefined ? "" : `: ${style.clean(rooted.pin)}`;
        return [
          rooted.repo,
          `${rooted.commit.slice(0, 7)}${rooted.variant === undefined ? "" : " with overrides"}`,
          whenText(rooted.usedAt, print),
          hostsText(kept.size),
          dropped.length === 0
            ? ""
            : style.yellow(isDroppedWhole(retention) ? "everything" : hostsText(dropped.length)),
          `${reasons.join(", ")}${note}`,
        ];
      }),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

const hostsText = (count: number): string =>
  count === 0 ? "" : `${count} ${count === 1 ? "host" : "hosts"}`;
