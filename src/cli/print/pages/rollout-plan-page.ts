// The plan of a rollout: its waves, its hosts from → to, and which are left out.
import type { StartAnswer } from "../../../protocol/rollout/start-request.ts";
import type { PlannedRolloutHost } from "../../../protocol/rollout/rollout-events.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import { count } from "../../../words/rollout-words.ts";
import { formatDuration } from "../../../words/duration.ts";
import { openingText } from "../../../words/window-words.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";

export type RolloutPlan = Extract<StartAnswer, { readonly type: "plan" }>;

export interface RolloutPlanPrint {
  readonly style: Style;
  readonly width?: number;
  readonly states: HostStates;
  readonly now: Date;
}

export function renderRolloutPlan(plan: RolloutPlan, print: RolloutPlanPrint): string {
  const { style, width, states, now } = print;
  const { waves, hosts, commit, policy } = plan;
  const ordered = hosts.filter(({ leftOut }) => leftOut === undefined);
  const byWave = waves.flatMap((wave, at) =>
    hosts
      .filter((host) => host.wave === at)
      .map((host, index) => [index === 0 ? waveName(wave) : "", host] as const),
  );
  const table = renderTable(
    {
      columns: [
        { title: "Wave", flexible: true, least: 10 },
        { title: "Host", flexible: true, least: 14 },
        { title: "From", flexible: true, least: 7 },
        { title: "To" },
        { title: "Role" },
        { title: "Reboot" },
        { title: "What", flexible: true, least: 26 },
      ],
      rows: byWave.map(([wave, host]) => [
        style.clean(wave),
        style.clean(host.host),
        style.clean(host.fromCommit?.slice(0, 7) ?? nameOfPath(host.from) ?? "unknown"),
        host.path === undefined ? "" : commit.slice(0, 7),
        style.clean(host.role ?? ""),
        style.clean((states.get(host.host)?.reboot?.needed ?? []).join(", ")),
        whatText(host, style),
      ]),
    },
    { style, width, indent: "" },
  );
  const { windows, maxUnavailable, soakSeconds, gates } = policy;
  const rules = [
    `at most ${maxUnavailable} at a time`,
    ...(soakSeconds === 0 ? [] : [`each wave soaks ${formatDuration(soakSeconds * 1000)}`]),
    ...(gates.length === 0 ? [] : [count(gates.length, "gate")]),
    ...(windows.length === 0 ? [] : [openingText(windows, now)]),
  ];
  const title = `${commit.slice(0, 7)} on ${ordered.length} of ${count(hosts.length, "host")} in ${count(waves.length, "wave")}: ${rules.join(", ")}`;
  return `${[title, ...table].join("\n")}\n`;
}

const waveName = ({ name, manual, oneByOne }: RolloutPlan["waves"][number]): string =>
  [name, ...(manual ? ["(manual)"] : []), ...(oneByOne ? ["(one by one)"] : [])].join(" ");

function whatText({ leftOut, detail, failedUnits }: PlannedRolloutHost, style: Style): string {
  const why = detail === undefined ? "" : `: ${detail}`;
  switch (leftOut) {
    case undefined:
      return failedUnits.length === 0
        ? "deployed"
        : style.clean(`deployed; failed already: ${failedUnits.slice(0, 3).join(", ")}`);
    case "unchanged":
      return "unchanged";
    case "absent":
      return style.yellow(style.clean(`absent${why}`));
    case "held":
    case "refused":
      return style.yellow(style.clean(`${leftOut}${why}`));
  }
}

const nameOfPath = (path: string | undefined): string | undefined => path?.replace(/^.*\/[0-9a-z]{32}-/, "");
