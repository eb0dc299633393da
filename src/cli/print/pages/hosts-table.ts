// `homelab-deploy hosts`: every host with its last result, as the builds that are still stored know it.
import type { BuildState } from "../../../protocol/build-state.ts";
import { fullName, type BuildId, type Commit, type FullHostName } from "../../../protocol/names.ts";
import { isSuccess, outcomeOf, type HostVerdict } from "../../../protocol/verdicts.ts";
import { idText, whenText, type ListPrint } from "./builds-table.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { renderTable } from "./table.ts";

export interface HostSummary {
  readonly repo: string;
  readonly host: string;
  /** Of the newest build in which it got one; `cancelled` counts for nothing. */
  readonly verdict: HostVerdict;
  /** `INTERNAL` for a bug in homelab-deploy. */
  readonly code?: string;
  readonly reason?: string;
  readonly build: BuildId;
  readonly commit?: Commit;
  /** When that build was accepted. */
  readonly at?: string;
}

/**
 * The newest verdict of each host at a commit as it is: with overrides it says nothing of the host. Sorted by repo and name. The builds
 * come newest first.
 */
export function summarizeHosts(builds: readonly BuildState[]): HostSummary[] {
  const newest = new Map<FullHostName, HostSummary>();
  for (const build of builds) {
    for (const { repo, host, finished } of build.hosts.values()) {
      const name = fullName({ repo, host });
      if (finished === undefined || finished.verdict === "cancelled" || newest.has(name)) continue;
      const source = build.sources.find((each) => each.repo === repo);
      if (source?.overrides !== undefined) continue;
      const commit = source?.commit;
      newest.set(name, {
        repo,
        host,
        verdict: finished.verdict,
        build: build.id,
        reason: finished.reason,
        code: finished.code,
        commit,
        at: build.startedAt,
      });
    }
  }
  return [...newest.values()].toSorted(
    (a, b) => a.repo.localeCompare(b.repo, "en") || a.host.localeCompare(b.host, "en"),
  );
}

export function renderHosts(hosts: readonly HostSummary[], print: ListPrint): string {
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
        reason === undefined || isSuccess(verdict) ? "" : style.clean(reason),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}
