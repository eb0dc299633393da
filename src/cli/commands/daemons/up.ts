// `homelab-deploy up`: NATS and a builder on this machine, for those who have neither yet.
import { join, resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect, parseCount, parsePort } from "../../arguments/parse-options.ts";
import { chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { firstCommands } from "../../../words/next-commands.ts";
import type { PrivateRun } from "../../session/run-privately.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** Where commands look for NATS without being told. */
const defaultPort = 4222;

export function addUp(command: Command, choose: Choose): void {
  command
    .addHelpText(
      "after",
      examples("up --repo ~/nixos-servers", "up --repo nixos=https://git.lan/me/nixos.git"),
    )
    .option("--repo <url>", "a repo to build: URL, path of a checkout, or name=URL; may be repeated", collect)
    .option("--branch <branch>", "the branch of these repos (default: the one that is checked out)")
    .option("--state <directory>", "directory for all state (default: ~/.local/state/homelab-deploy)")
    .option("--port <port>", "port of the nats-server on the loopback", parsePort, defaultPort)
    .option("--dashboard-port <port>", "port of the dashboard on the loopback (default: 9482)", parsePort)
    .option("--poll <seconds>", "how often to look for new commits; 0 for never", parseCount, 60)
    .action(
      chosen(
        choose,
        async (context, { repo: named = [], branch, state: wanted, port, dashboardPort, poll }) => {
          const [{ configureRepos }, { runPrivately }, { userStateDirectory }] = await Promise.all([
            import("../../arguments/repo-arguments.ts"),
            import("../../session/run-privately.ts"),
            import("../../session/local-builder.ts"),
          ]);
          const { environment, err, errStyle } = context;
          const signal = untilInterrupted(context.signals);
          const state = wanted === undefined ? join(userStateDirectory(environment), "up") : resolve(wanted);
          try {
            const config = await loadCommandConfig(context);
            const repos = {
              ...config.repos,
              ...(await configureRepos(
                named,
                {
                  branch,
                  pollSeconds: poll,
                  environment,
                  accessHint: "see that git can read it: git ls-remote URL",
                },
                signal,
              )),
            };
            if (Object.keys(repos).length === 0) {
              throw new HomelabError("usage", "nothing to build was named", {
                code: "BAD_ARGUMENTS",
                hint: "homelab-deploy up --repo URL, where URL may also be the path of a git checkout",
              });
            }
            const onReady: PrivateRun["onReady"] = ({ url, version, dashboard }) => {
              const prefix = port === defaultPort ? "" : `NATS_URL=${url} `;
              const longest = Math.max(...firstCommands.map((next) => next.command.length));
              err.write(
                [
                  `NATS is ready at ${url} (nats-server ${version}), a builder for ${Object.keys(repos).join(", ")} too.`,
                  `Look at ${errStyle.bold(dashboard)} in a browser. In another terminal:`,
                  ...firstCommands.map(
                    (next) =>
                      `  ${prefix}${errStyle.bold(next.command)}${" ".repeat(longest - next.command.length)}  ${errStyle.dim(`# ${next.does}`)}`,
                  ),
                  "Ctrl-C stops everything; builds and records stay in",
                  `  ${state}`,
                  "",
                ].join("\n"),
              );
            };
            await runPrivately(
              context,
              { config: { ...config, repos }, state, port, dashboardPort, onReady },
              signal,
            );
          } catch (error) {
            if (!signal.aborted) throw error;
          }
          return exitCodes.success;
        },
      ),
    );
}
