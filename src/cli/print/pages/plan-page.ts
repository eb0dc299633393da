// `deploy --plan`: from → to for each host, in the order in which they are deployed, and what refuses it.
import type { PlannedHost } from "../../../deploy/ordering/decide-plan.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";

export function renderPlan(
  hosts: readonly PlannedHost[],
  { style, width }: { readonly style: Style; readonly width?: number },
): string {
  const lines = renderTable(
    {
      columns: [
        { title: "Host" },
        { title: "From", flexible: true },
        { title: "To", flexible: true },
        { title: "Reboot" },
        { title: "What", flexible: true },
      ],
      rows: hosts.map((host) => [
        style.clean(host.address.host),
        style.clean(host.fromCommit?.slice(0, 7) ?? nameOfPath(host.from) ?? "unknown"),
        style.clean(host.commit?.slice(0, 7) ?? nameOfPath(host.to) ?? ""),
        host.rebootPending.join(", "),
        whatText(host, style),
      ]),
    },
    { style, width, indent: "" },
  );
  const refused = hosts.flatMap(({ address, refusal }) =>
    refusal === undefined ? [] : [`  ${style.clean(`${address.host}: ${refusal.hint}`)}`],
  );
  return `${[...lines, ...(refused.length === 0 ? [] : ["", "What to do about those that are refused:", ...refused])].join("\n")}\n`;
}

function whatText({ refusal, isUnchanged, isNeeded, notes }: PlannedHost, style: Style): string {
  if (refusal !== undefined) return style.yellow(style.clean(`refused: ${refusal.detail} (${refusal.code})`));
  const what = isUnchanged ? "unchanged" : isNeeded ? "deployed last: others need it" : "deployed";
  return style.clean([what, ...notes].join("; "));
}

const nameOfPath = (path: string | undefined): string | undefined => path?.replace(/^.*\/[0-9a-z]{32}-/, "");

/** The same for programs. */
export const planJson = (hosts: readonly PlannedHost[]): object[] =>
  hosts.map(
    ({ address, from, fromCommit, to, commit, isNeeded, isUnchanged, rebootPending, refusal, notes }) => ({
      ...address,
      from,
      fromCommit,
      to,
      commit,
      last: isNeeded,
      unchanged: isUnchanged,
      rebootPending,
      refusal,
      notes,
    }),
  );
