// `homelab-deploy hosts`, where hosts say what they run.
import { seenAt } from "../../../protocol/deploy/host-state.ts";
import type { HostCondition, RunningHost } from "../../../fleet/running-hosts.ts";
import { conditionWords, runsText } from "../../../fleet/running-words.ts";
import type { Style } from "../style.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { renderTable } from "./table.ts";

export function renderRunning(hosts: readonly RunningHost[], print: ListPrint): string {
  const { style, width } = print;
  const severalRepos = new Set(hosts.map(({ repo }) => repo)).size > 1;
  const when = (time: string | undefined): string =>
    time === undefined ? "" : whenText(new Date(time), print);
  const table = renderTable(
    {
      columns: [
        { title: "Repo" },
        { title: "Host", flexible: true },
        { title: "Runs", flexible: true },
        { title: "Behind", align: "right" },
        { title: "Since" },
        { title: "State", flexible: true },
        { title: "Seen" },
      ],
      rows: hosts.map(({ repo, host, state, behind, conditions, ...rest }) => [
        severalRepos ? style.clean(repo) : "",
        style.clean(host),
        state === undefined ? "" : style.clean(runsText({ state, ...rest })),
        state === undefined ? "" : behindText(behind),
        when(state?.running.since),
        conditions.map((condition) => conditionText(condition, style)).join("; "),
        when(state === undefined ? undefined : seenAt(state)),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

const behindText = (behind: number | undefined): string =>
  behind === undefined ? "?" : behind === 0 ? "-" : String(behind);

/** A condition with its colour. */
export function conditionText(condition: HostCondition, style: Style): string {
  const { tone, text } = conditionWords(condition);
  const clean = style.clean(text);
  switch (tone) {
    case "good":
      return style.green(clean);
    case "busy":
      return style.cyan(clean);
    case "warn":
      return style.yellow(clean);
    case "bad":
      return style.red(clean);
    case "idle":
      return style.dim(clean);
  }
}
