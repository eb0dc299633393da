// `homelab-deploy hosts show`: one host on a page.
import { firstLine } from "../../../base/lines.ts";
import { isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { changedInputsSentence } from "../../../words/changed-inputs.ts";
import { formatBytes, formatDuration } from "../../../words/duration.ts";
import type { Breakage, HostHistory } from "../../../fleet/host-history.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { idText, whenText, type ListPrint } from "./builds-table.ts";
import { renderTable } from "./table.ts";

const label = (text: string): string => text.padEnd(11);

export function renderHost(history: HostHistory, print: ListPrint): string {
  const { style, width } = print;
  const { repo, host, builds, breakage, usual, closure } = history;
  const lines = [style.bold(`${style.clean(repo)}/${style.clean(host)}`)];
  if (breakage !== undefined) lines.push(...breakageLines(breakage, print));
  if (usual !== undefined) {
    const { newerMs, olderMs, count } = usual;
    const before = olderMs === undefined ? "" : `, before that ${formatDuration(olderMs)}`;
    const of = count === 1 ? "1 build" : `${count} builds`;
    lines.push(`${label("Build time")} usually ${formatDuration(newerMs)}${before} (${of} that built it)`);
  }
  if (closure !== undefined) {
    const { bytes, deltaBytes, at } = closure;
    const sign = deltaBytes < 0 ? "-" : "+";
    lines.push(
      `${label("Closure")} ${formatBytes(bytes)}, ${sign}${formatBytes(Math.abs(deltaBytes))} by the update of ${whenText(new Date(at), print)}`,
    );
  }
  const table = renderTable(
    {
      columns: [
        { title: "Build" },
        { title: "Result" },
        { title: "When" },
        { title: "Time", align: "right" },
        { title: "Commit" },
        { title: "Branch", flexible: true },
        { title: "Because", flexible: true },
      ],
      rows: builds.map(({ build, verdict, code, at, durationMs, commit, branch, reason }) => [
        idText(build, print),
        verdictText(verdict === undefined ? undefined : outcomeOf({ verdict, code }), style),
        at === undefined ? "" : whenText(new Date(at), print),
        durationMs === undefined ? "" : formatDuration(durationMs),
        commit?.slice(0, 7) ?? "",
        style.clean(branch ?? ""),
        reason === undefined || (verdict !== undefined && isSuccess(verdict))
          ? ""
          : style.clean(firstLine(reason)),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${[...lines, "", ...table].join("\n")}\n`;
}

function breakageLines({ first, lastGood, inputs }: Breakage, print: ListPrint): readonly string[] {
  const { style } = print;
  const when = first.at === undefined ? "" : `, built ${whenText(new Date(first.at), print)}`;
  const commit = first.commit?.slice(0, 7) ?? "an unknown commit";
  if (lastGood === undefined) {
    return [`${label("Fails")} ${style.red(`in every build that was looked at, down to ${commit}`)}${when}`];
  }
  const good = lastGood.commit?.slice(0, 7) ?? "an unknown commit";
  return [
    `${label("Fails")} ${style.red(`since ${commit}`)}${when}; ${good} was the last that succeeded`,
    `${label("Inputs")} ${changedInputsSentence(inputs?.map(style.clean), `${good} and ${commit}`)}`,
  ];
}
