// The page of `homelab-deploy hosts show`: what a host runs, boots and may return to, and its last deployments.
import { seenAt } from "../../../protocol/deploy/host-state.ts";
import type { Deployment } from "../../../protocol/deploy/deployment.ts";
import { deployEndText } from "../../../words/deploy-words.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { RunningHost } from "../../../fleet/running-hosts.ts";
import { runsText, shortPath } from "../../../fleet/running-words.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { conditionText } from "./running-table.ts";
import { renderTable } from "./table.ts";

const label = (text: string): string => text.padEnd(11);

/** Nothing of a host that never spoke. */
export function renderRunningHost(
  host: RunningHost,
  deployments: readonly Deployment[],
  print: ListPrint,
): string {
  const { style, width } = print;
  const { state } = host;
  if (state === undefined) return "";
  const { permanent, bootDefault, previous, running } = state;
  const when = (time: string | undefined): string =>
    time === undefined ? "" : `, ${whenText(new Date(time), print)}`;
  const generation = permanent.generation === undefined ? "" : `, generation ${permanent.generation}`;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Runs", `${runsText(host)}, ${shortPath(running.path) ?? "no store path"}${when(running.since)}`],
    ["Permanent", `${shortPath(permanent.path) ?? "unknown"}${generation}`],
    ["Boots", shortPath(bootDefault.path) ?? "unknown: its boot loader cannot be read"],
    ["Goes back", shortPath(previous?.path) ?? "nowhere: it knows no good system before"],
    ["Seen", `${whenText(new Date(seenAt(state)), print)}, homelab-deploy ${state.version}`],
  ];
  const lines = [
    `${label("State")} ${host.conditions.map((condition) => conditionText(condition, style)).join("; ")}`,
    ...facts.flatMap(([name, text]) => (text === undefined ? [] : [`${label(name)} ${style.clean(text)}`])),
  ];
  const table = renderTable(
    {
      columns: [
        { title: "Deployed" },
        { title: "By" },
        { title: "To" },
        { title: "Outcome", flexible: true },
        { title: "Time", align: "right" },
      ],
      rows: deployments.map(({ startedAt, received, end, phase }) => [
        whenText(new Date(startedAt), print),
        style.clean(received?.by ?? ""),
        style.clean(received?.commit?.slice(0, 7) ?? shortPath(received?.path) ?? ""),
        end === undefined ? style.cyan(phase) : style.clean(deployEndText(end)),
        end === undefined ? "" : formatDuration(Date.parse(end.at) - Date.parse(startedAt)),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${[...lines, ...(deployments.length === 0 ? [] : ["", ...table])].join("\n")}\n`;
}
