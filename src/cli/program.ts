// The whole command line on one page. What a command does is in its own file, loaded only when it runs.
import type { Run, Choose } from "./choose.ts";
import { Argument, Command, CommanderError, Option } from "@commander-js/extra-typings";
import { exitCodes } from "../protocol/exit-codes.ts";
import { addCacheCommands } from "./commands/cache/cache-program.ts";
import { commonHelp, examples } from "./arguments/help-text.ts";
import { addNatsCommands } from "./commands/nats/nats-program.ts";
import {
  collect,
  parseBuildWish,
  parseCount,
  parseDuration,
  parsePort,
  parsePositive,
} from "./arguments/parse-options.ts";
import { createContext, InterruptedError } from "./context.ts";
import { errorJson, exitCodeOfError, renderError } from "./print/error.ts";
import { colourChoices, outputChoices } from "./print/output-mode.ts";
import { guardStream } from "./print/stdout-guard.ts";
import { programVersion } from "../wiring/program-version.ts";

/** Runs the command line and gives the exit code; everything that is thrown is printed here. */
export async function runProgram(args: readonly string[]): Promise<number> {
  guardStream(process.stdout, () => process.exit(exitCodes.success));
  guardStream(process.stderr, () => undefined);
  let run: Run | undefined;
  let json = false;
  const program = createProgram((chosen, wantsJson) => {
    run = chosen;
    json = wantsJson;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    // Commander has printed what is wrong, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    throw error;
  }
  if (run === undefined) {
    program.outputHelp({ error: true });
    return exitCodes.usage;
  }
  const context = createContext(program.opts());
  // A rejection that nobody waits for comes here too. Node would exit with 1, which is a failed build.
  process.on("uncaughtException", (error) => {
    context.err.write(renderError(error, { style: context.errStyle, debug: true }));
    process.exit(exitCodes.bug);
  });
  try {
    return await run(context);
  } catch (error) {
    // Whatever cancelling made fail on its way out is not an error of its own.
    const stop = error instanceof InterruptedError ? error.signal : context.signals.received();
    if (stop !== undefined) return stop === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
    const debug = context.options.debug === true;
    if (json) context.out.write(`${JSON.stringify(errorJson(error, debug))}\n`);
    else context.err.write(renderError(error, { style: context.errStyle, debug }));
    return exitCodeOfError(error);
  }
}

export function createProgram(choose: Choose): Command {
  const program = new Command("homelab-deploy")
    .description("Builds, caches, updates and deploys a fleet of NixOS hosts over NATS.")
    .version(programVersion())
    .option("--config <file>", "configuration file (default: $HOMELAB_DEPLOY_CONFIG)")
    .option(
      "--server <url>",
      "NATS server, may be repeated (default: the configuration's, then $NATS_URL)",
      collect,
    )
    .option("--nkey <file>", "file with the NKey seed to sign in to NATS with")
    .option("--creds <file>", "file with NATS credentials, instead of --nkey")
    .option("--tls-ca <file>", "certificate authority of the NATS servers")
    .option("--tls-cert <file>", "our certificate for NATS")
    .option("--tls-key <file>", "the key of --tls-cert")
    .option(
      "--context <name>",
      "a context of the nats command (default: $NATS_CONTEXT, then the selected one)",
    )
    .option("--inbox-prefix <prefix>", "where answers come back, such as _INBOX_operator")
    .addOption(new Option("--color <when>", "colours").choices(colourChoices).default("auto" as const))
    .option("--ascii", "no characters beyond ASCII")
    .option("--debug", "show where errors come from")
    .addHelpText("after", commonHelp)
    .showHelpAfterError(
      "(homelab-deploy --help lists the commands, homelab-deploy COMMAND --help their options)",
    )
    .exitOverride();
  const output = (
    description: string,
  ): Option<"--output <mode>", undefined, undefined, undefined, false, (typeof outputChoices)[number]> =>
    new Option("--output <mode>", description).choices(outputChoices);

  program
    .command("build")
    .description("Build hosts, show how it goes, and answer with success or failure.")
    .argument("[host...]", "hosts of nixosConfigurations, also as repo/host")
    .option("--all", "every host of every repo, or of --repo")
    .option("--repo <name>", "only this repo")
    .option("--branch <branch>", "instead of the repo's configured branch")
    .option("--rev <commit>", "exactly this commit, as 40 hexadecimal digits")
    .addOption(
      new Option(
        "--priority <priority>",
        "who is served first (default: batch with --all, else interactive)",
      ).choices(["interactive", "batch"] as const),
    )
    .option("--detach", "print the build's id and do not wait")
    .option("--timeout <duration>", "stop waiting after this, such as 30m; the build goes on", parseDuration)
    .addOption(
      new Option("--on-interrupt <what>", "what Ctrl-C and SIGTERM do")
        .choices(["detach", "cancel"] as const)
        .default("detach" as const),
    )
    .option("--local", "build in this process, without NATS")
    .addOption(
      new Option("-q, --quiet", "only the result and errors").conflicts(["verbose", "printBuildLogs"]),
    )
    .option("-v, --verbose", "also say which derivations start")
    .option("-L, --print-build-logs", "show the logs of what is built")
    .option("--show-trace", "show evaluation errors with their whole trace")
    .addOption(output("how to print"))
    .addOption(
      new Option("--json", "one JSON object for each event; the same as --output jsonl").conflicts("output"),
    )
    .addHelpText(
      "after",
      examples(
        "build web01 gitea",
        "build --all --repo nixos-servers --branch update --detach",
        "build --all --on-interrupt cancel --timeout 2h   # in CI",
      ),
    )
    .action((hosts, options) =>
      choose(
        async (context) => (await import("./commands/builds/build.ts")).runBuild(context, hosts, options),
        options.json === true || options.output === "jsonl",
      ),
    );

  const builds = program.command("builds").description("Look at builds and cancel them.");
  builds
    .command("list", { isDefault: true })
    .description("The newest builds.")
    .option("--limit <count>", "how many", parsePositive, 20)
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/builds/builds.ts")).runBuildsList(context, options),
        options.json === true,
      ),
    );
  builds
    .command("show")
    .description("One build: its hosts, failures and warnings.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildWish)
    .option("--show-trace", "show evaluation errors with their whole trace")
    .option("--json", "as one JSON document")
    .action((id, options) =>
      choose(
        async (context) => (await import("./commands/builds/builds.ts")).runBuildsShow(context, id, options),
        options.json === true,
      ),
    );
  builds
    .command("cancel")
    .description("Cancel a build, also one that waits in the queue.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildWish)
    .option("--json", "as one JSON document")
    .action((id, options) =>
      choose(
        async (context) =>
          (await import("./commands/builds/builds.ts")).runBuildsCancel(context, id, options),
        options.json === true,
      ),
    );

  program
    .command("logs")
    .description("The logs of a build, or with --follow all of it as it happens.")
    .addHelpText(
      "after",
      examples("logs last web01", "logs last --failed --tail 50", "logs 01JDB3K2M4 --follow"),
    )
    .argument("<id>", "the build's id, or its first characters; `last` for the newest", parseBuildWish)
    .argument("[host]", "only of what was built for this host")
    .option("-f, --follow", "attach to the build until it is over")
    .option("--failed", "only of what failed, in full")
    .option("--tail <lines>", "only the last lines of each log", parsePositive)
    .option("--drv <name>", "only of this derivation: its name, with or without version, or its store path")
    .addOption(output("with --follow, how to print"))
    .addOption(
      new Option(
        "--json",
        "one JSON object for each piece of a log; with --follow, for each event too",
      ).conflicts("output"),
    )
    .action((id, host, options) =>
      choose(
        async (context) => (await import("./commands/builds/logs.ts")).runLogs(context, id, host, options),
        options.json === true,
      ),
    );

  program
    .command("hosts")
    .description("Every host that was built, with its last result.")
    .option("--repo <name>", "only of this repo")
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/builds/hosts.ts")).runHosts(context, options),
        options.json === true,
      ),
    );

  program
    .command("update")
    .description("Update flake inputs safely: land what builds on every host, propose the rest.")
    .option("--repo <name>", "only this repo")
    .option("--input <name>", "only this input of the flake, may be repeated", collect)
    .option("--dry-run", "build and say what would happen; nothing leaves this machine")
    .option("--proposal-succeeds", "exit with 0 also when an update became a pull request, for timers")
    .addOption(
      new Option("--builds <where>", "who builds (default: nats; local with --dry-run)").choices([
        "local",
        "nats",
      ] as const),
    )
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/update/update.ts")).runUpdateCommand(context, options),
        options.json === true,
      ),
    );

  program
    .command("inputs")
    .description("What the inputs of the flakes are pinned to, and how old that is.")
    .option("--repo <name>", "only of this repo")
    .option("--check", "ask upstream how far behind it is")
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/update/inputs.ts")).runInputs(context, options),
        options.json === true,
      ),
    );

  addCacheCommands(program, choose);

  program
    .command("doctor")
    .description("Check what homelab-deploy needs here, and say what to do about what is wrong.")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/setup/doctor.ts")).runDoctor(context, options),
        options.json === true,
      ),
    );

  program
    .command("up")
    .description("Everything on this machine: a private nats-server and a builder, until Ctrl-C.")
    .addHelpText(
      "after",
      examples("up --repo ~/nixos-servers", "up --repo nixos=https://git.lan/me/nixos.git"),
    )
    .option("--repo <url>", "a repo to build: URL, path of a checkout, or name=URL; may be repeated", collect)
    .option("--branch <branch>", "the branch of these repos (default: the one that is checked out)")
    .option("--state <directory>", "where everything is kept (default: ~/.local/state/homelab-deploy)")
    .option("--port <port>", "port of the nats-server on the loopback", parsePort, 4222)
    .option("--poll <seconds>", "how often to look for new commits; 0 for never", parseCount, 60)
    .action((options) =>
      choose(async (context) => (await import("./commands/daemons/up.ts")).runUp(context, options), false),
    );

  program
    .command("builder")
    .description("The daemon that builds.")
    .action(() =>
      choose(
        async (context) => (await import("./commands/daemons/builder.ts")).runBuilderCommand(context),
        false,
      ),
    );

  const config = program.command("config").description("The configuration file.");
  config
    .command("check")
    .description("Say everything that is wrong with a configuration file.")
    .argument("<file>")
    .addOption(
      new Option("--for <whom>", "who reads the file: a builder also needs repos")
        .choices(["builder", "client"] as const)
        .default("client" as const),
    )
    .option("--json", "as one JSON document")
    .action((file, options) =>
      choose(
        async (context) =>
          (await import("./commands/setup/config.ts")).runConfigCheck(context, file, options),
        options.json === true,
      ),
    );
  config
    .command("schema")
    .description("Print the schema of the configuration file.")
    .option("--markdown", "as a page for people")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/setup/config.ts")).runConfigSchema(context, options),
        false,
      ),
    );

  addNatsCommands(program, choose);

  program
    .command("completion")
    .description("Print a completion script for a shell.")
    .addHelpText("after", examples("completion zsh > ~/.zfunc/_homelab-deploy", "completion fish | source"))
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"] as const))
    .action((shell) =>
      choose(
        async (context) => (await import("./commands/setup/completion.ts")).runCompletion(context, shell),
        false,
      ),
    );
  program
    .command("manual", { hidden: true })
    .addArgument(new Argument("<page>").choices(["homelab-deploy.1", "homelab-deploy.json.5"] as const))
    .action((page) =>
      choose(
        async (context) => (await import("./commands/setup/manual.ts")).runManual(context, page, program),
        false,
      ),
    );
  program
    .command("complete", { hidden: true })
    .argument("[word...]")
    .action((words) =>
      choose(
        async (context) =>
          (await import("./commands/setup/completion.ts")).runComplete(context, words, program),
        false,
      ),
    );

  return program;
}
