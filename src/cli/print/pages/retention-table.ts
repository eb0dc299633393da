// `homelab-deploy cache retain`: what stays and why, and what goes.
import { isDroppedWhole, type CommitRetention, type KeepReason } from "../../../cache/decide-retention.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { renderTable } from "./table.ts";

const why: Readonly<Record<KeepReason, string>> = {
  pinned: "pinned",
  "open-update": "open update",
  newest: "newest",
};

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
