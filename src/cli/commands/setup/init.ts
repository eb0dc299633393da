// `homelab-deploy init`: keys, permissions, configurations and units of an installation, as a directory.
import { join, resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addInit(command: Command, choose: Choose): void {
  command
    .argument("[dir]", "directory to write, which must be empty or missing (default: homelab)")
    .addHelpText(
      "after",
      examples(
        "init",
        "init homelab --repo https://git.lan/me/nixos.git --yes",
        "init homelab --repo https://git.lan/me/private.git --token-file ~/git-token --token-user me --yes",
        "init homelab --repo ~/nixos --nats tls://nats.lan:4222 --nats-tls-cert /etc/nats/cert.pem --nats-tls-key /etc/nats/key.pem",
        "init --demo /tmp/homelab",
      ),
    )
    .option("--repo <url>", "a repo to build: URL, path of a checkout, or name=URL; may be repeated", collect)
    .option("--branch <branch>", "the branch of these repos (default: the remote's own)")
    .option(
      "--token-file <file>",
      "file with a token that can read the https repos; updates also push with it",
    )
    .option("--token-user <name>", "user name for --token-file (default: git)")
    .option("--nats <url>", "where clients reach NATS (default: nats://127.0.0.1:4222)")
    .option("--nats-tls-cert <file>", "the server's certificate, on the machine of NATS")
    .option("--nats-tls-key <file>", "the key of --nats-tls-cert")
    .option("--nats-tls-ca <file>", "certificate authority of that certificate, on the clients' machines")
    .option(
      "--server-version <version>",
      "version of the nats-server (default: that of the one installed here, or 2.10)",
    )
    .option("--cache <url>", "the binary cache that hosts fetch from")
    .option("--cache-key <key>", "a public key of the cache, may be repeated", collect)
    .option("--builder <name>", "a machine that builds, may be repeated (default: this one)", collect)
    .option("--operator <name>", "a person who asks for builds and deploys (default: you)", collect)
    .option("--ci <name>", "a pipeline that asks for builds, may be repeated", collect)
    .option("--updater <name>", "a machine that updates flake inputs, may be repeated", collect)
    .option("--dashboard <name>", "a machine that shows the dashboard (default: the builder)", collect)
    .option("--host <repo/host>", "a host that is deployed to, may be repeated", collect)
    .option("--nixos", "write NixOS modules instead of systemd units")
    .option("--program <file>", "path of the program on the machines (default: the path of this one)")
    .option("--yes", "ask nothing, and use defaults for what is not given")
    .option(
      "--demo",
      "run everything from the directory itself on this machine; without --repo, with a sample flake",
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, dir, options) => {
        const { runInit } = await import("../../init/run-init.ts");
        const { decideWarnings, nextSteps } = await import("../../init/next-steps.ts");
        const directory = resolve(dir ?? "homelab");
        const isDemo = options.demo === true;
        const { plan, parts } = await runInit(
          context,
          {
            directory,
            given: {
              repos: options.repo,
              tokenFile: options.tokenFile,
              tokenUser: options.tokenUser,
              form: isDemo ? "in-place" : options.nixos === true ? "nixos" : undefined,
              nats: options.nats,
              tlsCert: options.natsTlsCert,
              tlsKey: options.natsTlsKey,
              tlsCa: options.natsTlsCa,
              natsVersion: options.serverVersion,
              cacheUrl: options.cache,
              cacheKeys: options.cacheKey,
              builders: options.builder,
              operators: options.operator,
              ci: options.ci,
              updaters: options.updater,
              dashboards: options.dashboard,
              hosts: options.host,
            },
            branch: options.branch,
            program: options.program,
            isDemo,
            isAsked: options.yes !== true && !isDemo && !context.json && context.input !== undefined,
          },
          untilInterrupted(context.signals),
        );
        const warnings = decideWarnings(plan);
        for (const warning of warnings) context.err.write(`warning: ${context.errStyle.clean(warning)}\n`);
        answer(context, {
          json: () => ({
            directory,
            form: plan.form,
            parts: parts.map(({ name, goesTo }) => ({ name, goesTo })),
            readme: join(directory, "README.md"),
            warnings,
          }),
          text: () => nextSteps(plan, parts),
        });
        return exitCodes.success;
      }),
    );
}
