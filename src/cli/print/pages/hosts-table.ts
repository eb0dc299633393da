// `homelab-deploy hosts`: every host with its last result, of the builds that are still stored.
import { firstLine } from "../../../base/lines.ts";
import type { HostResult } from "../../../protocol/results.ts";
import { isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { idText, whenText, type ListPrint } from "./builds-table.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { renderTable } from "./table.ts";

export function renderHosts(hosts: readonly HostResult[], print: ListPrint): string {
  const { style, width } = print;
  if (hosts.length === 0) return "no host was built yet\n";
  const severalRepos = new Set(hosts.map(({ repo }) => repo)).size > 1;
  const table = renderTable(
    {
      columns: [
        { title: "Repo" },
        { title: "Host", flexible: true },
        { title: "Last result" },
        { title: "When" },
        { title: "Commit" },
        { title: "Build" },
        { title: "Because", flexible: true },
      ],
      rows: hosts.map(({ repo, host, verdict, code, at, commit, build, reason }) => [
        severalRepos ? style.clean(repo) : "",
        style.clean(host),
        verdictText(outcomeOf({ verdict, code }), style),
        at === undefined ? "" : whenText(new Date(at), print),
        commit?.slice(0, 7) ?? "",
        idText(build, print),
        reason === undefined || isSuccess(verdict) ? "" : style.clean(firstLine(reason)),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}
