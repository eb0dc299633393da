// `homelab-deploy hosts list|show|diff|hold|release`
import { Option, type Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import {
  parseBuildReference,
  parseCommitReference,
  parsePositive,
  parseTime,
} from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { openDeploy } from "../../session/connect-deploy.ts";

/** How many builds are read, newest first, whether or not they have a row yet. */
const lookedAt = 100;

export function addHosts(hosts: Command, choose: Choose): void {
  addList(hosts, choose);
  addShow(hosts, choose);
  addDiff(hosts, choose);
  addHold(hosts, choose);
}

/** What runs where; where no host ever spoke, the newest result of each. */
function addList(command: Command, choose: Choose): void {
  command
    .command("list", { isDefault: true })
    .description(
      "List what runs where. Before any host has reported: every host that was built, with its last result.",
    )
    .option("--repo <name>", "only this repo")
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { repo: named, absolute }) => {
        const [
          { parseRepoName },
          { readHosts },
          { rememberNames },
          { renderHosts },
          { readRunning },
          { renderRunning },
        ] = await Promise.all([
          import("../../../protocol/names.ts"),
          import("../../../fleet/read-results.ts"),
          import("../../arguments/known-names.ts"),
          import("../../print/pages/hosts-table.ts"),
          import("../../../fleet/read-running.ts"),
          import("../../print/pages/running-table.ts"),
        ]);
        const repo = named === undefined ? undefined : parseRepoName(named);
        await using session = await openDeploy(context);
        const { reader, signal } = session;
        const { clock, out, outStyle: style } = context;
        const ids = await reader.acceptedBuilds(lookedAt, signal);
        const all = await readHosts(reader, ids, signal);
        const everywhere = await readRunning(session, all, ids, clock.now(), signal);
        const repos = [...new Set([...all, ...everywhere].map((host) => host.repo))];
        // Only for completion.
        const rollouts = await session.rollouts.rolloutIds(signal).catch(() => undefined);
        await rememberNames(context.environment, {
          ...(rollouts === undefined ? {} : { rollouts: rollouts.slice(0, 50) }),
          builds: ids,
          hosts: [...new Set([...all, ...everywhere].map(({ host }) => host))],
          repos,
        });
        const isMeant = (host: { readonly repo: string }): boolean =>
          repo === undefined || host.repo === repo;
        const hosts = all.filter(isMeant);
        const running = everywhere.filter(isMeant);
        if (repo !== undefined && hosts.length + running.length === 0 && repos.length > 0) {
          throw new HomelabError("usage", `no host of ${repo} was built yet`, {
            code: "UNKNOWN_REPO",
            hint: `there are hosts of ${repos.join(", ")}`,
          });
        }
        const print = { style, width: out.columns, now: clock.now(), absolute, ids };
        answer(context, {
          json: () => ({ hosts, running }),
          text: () => (running.length > 0 ? renderRunning(running, print) : renderHosts(hosts, print)),
        });
        return exitCodes.success;
      }),
    );
}

/** One host: what it runs and did last; since when it fails, how long it takes, and its builds. */
function addShow(command: Command, choose: Choose): void {
  command
    .command("show")
    .description("Show one host: what it runs, its deployments and builds, and since which commit it fails.")
    .argument("<host>", "the host, also as repo/host")
    .option("--limit <count>", "how many of the newest builds to examine", parsePositive, 30)
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, name, { limit, absolute }) => {
        const [
          { readHostHistory },
          { readHosts },
          { renderHost },
          { readRunning, readDeployments },
          { renderRunningHost },
        ] = await Promise.all([
          import("../../../fleet/read-host-history.ts"),
          import("../../../fleet/read-results.ts"),
          import("../../print/pages/host-page.ts"),
          import("../../../fleet/read-running.ts"),
          import("../../print/pages/deployments-page.ts"),
        ]);
        await using session = await openDeploy(context);
        const { reader, bus, signal } = session;
        const { clock, out, outStyle: style } = context;
        const ids = await reader.acceptedBuilds(limit, signal);
        const rows = await readHosts(reader, ids, signal);
        const everywhere = await readRunning(session, rows, ids, clock.now(), signal);
        const history = await readHostHistory(reader, name, ids, signal, everywhere);
        const { repo, host } = history;
        const running = everywhere.find((each) => each.repo === repo && each.host === host);
        const deployments = await readDeployments(bus, { repo, host }, signal);
        const print = { style, width: out.columns, now: clock.now(), absolute, ids };
        answer(context, {
          json: () => ({ ...history, running, deployments }),
          text: () => {
            const page = running === undefined ? "" : renderRunningHost(running, deployments, print);
            return `${renderHost(history, print)}${page === "" ? "" : `\n${page}`}`;
          },
        });
        return exitCodes.success;
      }),
    );
}

/** Packages, units and the kernel that a deploy would change. */
function addDiff(command: Command, choose: Choose): void {
  command
    .command("diff")
    .description("Show what a deploy would change: packages by name and version, kernel and units.")
    .argument("<host>", "the host, also as repo/host")
    .addOption(
      new Option("--commit <sha>", "this commit instead of the newest")
        .argParser(parseCommitReference)
        .conflicts("build"),
    )
    .addOption(
      new Option("--build <id>", "the systems that this build signed").argParser(parseBuildReference),
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, name, { commit, build }) => {
        const [{ diffHost }, { renderDiff }] = await Promise.all([
          import("../../deploy/diff-host.ts"),
          import("../../print/pages/diff-page.ts"),
        ]);
        const config = await loadCommandConfig(context);
        await using session = await openDeploy(context);
        const found = await diffHost(context, config, session, { hosts: [name], commit, build });
        answer(context, {
          json: () => found,
          text: () => renderDiff(found.diff, context.outStyle, found),
        });
        return exitCodes.success;
      }),
    );
}

/** An operator's mark: those who sign respect it. */
function addHold(command: Command, choose: Choose): void {
  command
    .command("hold")
    .description("Protect a host from deploys until it is released.")
    .argument("<host>", "the host, also as repo/host")
    .requiredOption("--reason <text>", "why, shown to whoever wants to deploy it")
    .option(
      "--until <time>",
      "when the hold ends by itself, such as 2026-12-24 or 2026-12-24T18:00:00Z",
      parseTime,
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, name, { reason, until }) => {
        const { holdHost } = await import("../../deploy/hold-host.ts");
        await using session = await openDeploy(context);
        const held = await holdHost(context, session, name, { reason, until });
        answer(context, {
          json: () => held,
          text: () => `${held.host} is held${until === undefined ? "" : ` until ${until}`}.\n`,
        });
        return exitCodes.success;
      }),
    );
  command
    .command("release")
    .description("Allow deploys to a host again.")
    .argument("<host>", "the host, also as repo/host")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, name) => {
        const { holdHost } = await import("../../deploy/hold-host.ts");
        await using session = await openDeploy(context);
        const released = await holdHost(context, session, name, undefined);
        answer(context, { json: () => released, text: () => `${released.host} is not held any more.\n` });
        return exitCodes.success;
      }),
    );
}
