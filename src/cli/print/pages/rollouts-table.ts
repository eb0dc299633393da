// `homelab-deploy rollouts list`
import type { Rollout } from "../../../protocol/rollout/rollout.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import { progressText, rolloutStateWords } from "../../../words/rollout-words.ts";
import { shortId } from "../../../words/short-id.ts";
import { painted } from "../rollout/rollout-view.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { renderTable, type Table } from "./table.ts";

const noStates: HostStates = new Map();

/** In the order given; text that ends in a newline. */
export function renderRollouts(rollouts: readonly Rollout[], print: ListPrint): string {
  if (rollouts.length === 0) return "no rollouts yet\n";
  const { style, width } = print;
  return `${renderTable(rolloutTable(rollouts, print), { style, width, indent: "" }).join("\n")}\n`;
}

export function rolloutTable(rollouts: readonly Rollout[], print: ListPrint): Table {
  const { style, width, now, ids = [] } = print;
  return {
    columns: [
      { title: "Rollout" },
      { title: "Repo" },
      { title: "Commit" },
      { title: "When" },
      { title: "Time", align: "right" },
      { title: "By", flexible: true },
      { title: "Hosts" },
      { title: "State", flexible: true },
    ],
    rows: rollouts.map((rollout) => {
      const { id, repo, commit, created } = rollout;
      const { tone, text } = rolloutStateWords(rollout, noStates, now);
      return [
        width === undefined ? id : shortId(id, ids),
        repo,
        commit.slice(0, 7),
        whenText(new Date(created.at), print),
        timeText(rollout, now),
        style.clean(created.by),
        progressText(rollout),
        painted(tone, style.clean(text), style),
      ];
    }),
  };
}

function timeText({ startedAt, end }: Rollout, now: Date): string {
  if (startedAt === undefined) return "";
  const until = end === undefined ? now.getTime() : Date.parse(end.at);
  return `${formatDuration(until - Date.parse(startedAt))}${end === undefined ? "+" : ""}`;
}
