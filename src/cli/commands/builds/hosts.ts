// `homelab-deploy hosts list|show`
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parsePositive } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";

/** So many builds are looked at, newest first, whether they have a row yet. */
const lookedAt = 100;

export function addHosts(hosts: Command, choose: Choose): void {
  addList(hosts, choose);
  addShow(hosts, choose);
}

/** The newest result of each host. */
function addList(command: Command, choose: Choose): void {
  command
    .command("list", { isDefault: true })
    .description("Every host that was built, with its last result.")
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

/** One host: since when it fails, how long it takes, and its builds. */
function addShow(command: Command, choose: Choose): void {
  command
    .command("show")
    .description("One host: its builds, since which commit it fails, how long it takes.")
    .argument("<host>", "the host, also as repo/host")
    .option("--limit <count>", "how many of the newest builds to look at", parsePositive, 30)
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, name, { limit, absolute }) => {
        const [{ readHostHistory }, { renderHost }] = await Promise.all([
          import("../../builds/read-host-history.ts"),
          import("../../print/pages/host-page.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const ids = await reader.acceptedBuilds(limit, signal);
        const history = await readHostHistory(reader, name, ids, signal);
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => history,
          text: () => renderHost(history, { style, width: out.columns, now: clock.now(), absolute, ids }),
        });
        return exitCodes.success;
      }),
    );
}
