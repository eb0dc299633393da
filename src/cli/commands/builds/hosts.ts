// `homelab-deploy hosts`
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";

/** So many builds are looked at, newest first, whether they have a row yet. */
const lookedAt = 100;

/** The newest result of each host. */
export function addHosts(command: Command, choose: Choose): void {
  command
    .option("--repo <name>", "only of this repo")
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, { repo: named, absolute }) => {
        const [{ parseRepoName }, { readHosts }, { rememberNames }, { renderHosts }] = await Promise.all([
          import("../../../protocol/names.ts"),
          import("../../builds/read-results.ts"),
          import("../../arguments/known-names.ts"),
          import("../../print/pages/hosts-table.ts"),
        ]);
        const repo = named === undefined ? undefined : parseRepoName(named);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const ids = await reader.acceptedBuilds(lookedAt, signal);
        const all = await readHosts(reader, ids, signal);
        const repos = [...new Set(all.map((host) => host.repo))];
        await rememberNames(context.environment, {
          builds: ids,
          hosts: [...new Set(all.map(({ host }) => host))],
          repos,
        });
        const hosts = all.filter((host) => repo === undefined || host.repo === repo);
        if (repo !== undefined && hosts.length === 0 && all.length > 0) {
          throw new HomelabError("usage", `no host of ${repo} was built yet`, {
            code: "UNKNOWN_REPO",
            hint: `there are hosts of ${repos.join(", ")}`,
          });
        }
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => ({ hosts }),
          text: () => renderHosts(hosts, { style, width: out.columns, now: clock.now(), absolute, ids }),
        });
        return exitCodes.success;
      }),
    );
}
