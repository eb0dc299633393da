// The command line on one page: its options and its commands. The rest of a command is in its own file, which is loaded
// when it is chosen, and what that needs when it runs.
import { Command, CommanderError, Help, Option, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { safeJson } from "../base/terminal-text.ts";
import { exitCodes } from "../protocol/exit-codes.ts";
import { programVersion } from "../wiring/program-version.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import { commonHelp } from "./arguments/help-text.ts";
import { collectServer } from "./arguments/parse-options.ts";
import { adviseAboutArguments, adviseInstead } from "./arguments/unknown-command.ts";
import type { Choose, Declare, Run } from "./command.ts";
import { createContext } from "./context.ts";
import { errorJson, exitCodeOfError, renderError } from "./print/error.ts";
import { colourChoices } from "./print/output-mode.ts";
import { guardStream } from "./print/stdout-guard.ts";
import { plainStyle } from "./print/style.ts";
import { InterruptedError } from "./session/signals.ts";

interface Listed {
  /** As `--help` shows it. */
  readonly usage: string;
  /** Hidden without one. */
  readonly description?: string;
  readonly declare: () => Promise<Declare>;
}

const commands: readonly Listed[] = [
  {
    usage: "build [options] [host...]",
    description: "Build hosts, show progress, and exit with the result.",
    declare: async () => (await import("./commands/builds/build.ts")).addBuild,
  },
  {
    usage: "builds",
    description: "List, show and cancel builds.",
    declare: async () => (await import("./commands/builds/builds.ts")).addBuilds,
  },
  {
    usage: "logs [options] <id> [host]",
    description: "Print the logs of a build; with --follow, everything as it happens.",
    declare: async () => (await import("./commands/builds/logs.ts")).addLogs,
  },
  {
    usage: "watch [options] [id]",
    description: "Show the live view of a build.",
    declare: async () => (await import("./commands/builds/watch.ts")).addWatch,
  },
  {
    usage: "hosts",
    description: "List hosts with what they run and their last result, or show one in full.",
    declare: async () => (await import("./commands/builds/hosts.ts")).addHosts,
  },
  {
    usage: "deploy [options] [host...]",
    description: "Activate what was built and cached; a host that does not work rolls back.",
    declare: async () => (await import("./commands/deploy/deploy.ts")).addDeploy,
  },
  {
    usage: "rollouts",
    description: "Deployments of many hosts in waves: list, show, pause, resume and abort them.",
    declare: async () => (await import("./commands/deploy/rollouts.ts")).addRollouts,
  },
  {
    usage: "rollback [options] <host...>",
    description: "Send hosts back to their last good system.",
    declare: async () => (await import("./commands/deploy/rollback.ts")).addRollback,
  },
  {
    usage: "reboot [options] <host...>",
    description: "Reboot hosts into their permanent system, and check that it works.",
    declare: async () => (await import("./commands/deploy/reboot.ts")).addReboot,
  },
  {
    usage: "status [options]",
    description: "Show the fleet on one screen; the exit code tells whether all is well.",
    declare: async () => (await import("./commands/builds/status.ts")).addStatus,
  },
  {
    usage: "update [options]",
    description: "Update flake inputs safely: merge what builds on every host, propose the rest.",
    declare: async () => (await import("./commands/update/update.ts")).addUpdate,
  },
  {
    usage: "inputs [options]",
    description: "Show the revisions that flake inputs are locked to, and their age.",
    declare: async () => (await import("./commands/update/inputs.ts")).addInputs,
  },
  {
    usage: "cache",
    description: "Verify and fill the binary cache, and decide what its store keeps.",
    declare: async () => (await import("./commands/cache/cache.ts")).addCache,
  },
  {
    usage: "order",
    description: "Show a signed order, and check whether a host would accept it.",
    declare: async () => (await import("./commands/deploy/order.ts")).addOrder,
  },
  {
    usage: "keys",
    description: "Create and show keys that sign orders and statements.",
    declare: async () => (await import("./commands/deploy/keys.ts")).addKeys,
  },
  {
    usage: "init [options] [dir]",
    description: "Write the keys, permissions, configurations and units of an installation.",
    declare: async () => (await import("./commands/setup/init.ts")).addInit,
  },
  {
    usage: "doctor [options]",
    description: "Check this machine and its services, and explain how to fix what is wrong.",
    declare: async () => (await import("./commands/setup/doctor.ts")).addDoctor,
  },
  {
    usage: "up [options]",
    description: "Run a private nats-server, a builder and the dashboard until Ctrl-C.",
    declare: async () => (await import("./commands/daemons/up.ts")).addUp,
  },
  {
    usage: "builder",
    description: "Run the daemon that builds.",
    declare: async () => (await import("./commands/daemons/builder.ts")).addBuilder,
  },
  {
    usage: "deployer",
    description: "Run the daemon for rollouts.",
    declare: async () => (await import("./commands/daemons/deployer.ts")).addDeployer,
  },
  {
    usage: "listener",
    description: "Run the daemon on a host that is deployed to.",
    declare: async () => (await import("./commands/daemons/listener.ts")).addListener,
  },
  {
    usage: "host",
    description: "On a host: show its state, deploy by hand, recover.",
    declare: async () => (await import("./commands/host/host.ts")).addHost,
  },
  {
    usage: "dashboard [options]",
    description: "Serve the fleet, builds and logs to a browser.",
    declare: async () => (await import("./commands/daemons/dashboard.ts")).addDashboard,
  },
  {
    usage: "config",
    description: "Check the configuration file, or print its schema.",
    declare: async () => (await import("./commands/setup/config.ts")).addConfig,
  },
  {
    usage: "nats",
    description: "Set up the NATS server: keys, configuration, streams.",
    declare: async () => (await import("./commands/nats/nats.ts")).addNats,
  },
  {
    usage: "completion <shell>",
    description: "Print a completion script for a shell.",
    declare: async () => (await import("./commands/setup/completion.ts")).addCompletion,
  },
  // For packages, and for the scripts of `completion`.
  {
    usage: "package <directory>",
    declare: async () => (await import("./commands/setup/package.ts")).addPackage,
  },
  { usage: "manual <page>", declare: async () => (await import("./commands/setup/manual.ts")).addManual },
  {
    usage: "complete [word...]",
    declare: async () => (await import("./commands/setup/completion.ts")).addComplete,
  },
];

const versionWanted = "homelab-deploy.version";

async function printVersion(): Promise<number> {
  const [{ describeVersion, programCommit }, { createExec }] = await Promise.all([
    import("../wiring/program-commit.ts"),
    import("../process/create-exec.ts"),
  ]);
  const env = { PATH: process.env["PATH"] ?? "" };
  const commit = await programCommit(createExec(), env, AbortSignal.timeout(10_000));
  process.stdout.write(`${describeVersion(programVersion(), commit)}\n`);
  return exitCodes.success;
}

/** Runs the command line and gives the exit code; everything that is thrown is printed here. */
export async function runProgram(args: readonly string[]): Promise<number> {
  guardStream(
    process.stdout,
    () => process.exit(exitCodes.success),
    (error) => {
      process.stderr.write(renderError(error, { style: plainStyle }));
      process.exit(exitCodeOfError(error));
    },
  );
  // Nobody can be told, and the exit code still tells the result.
  guardStream(
    process.stderr,
    () => undefined,
    () => undefined,
  );
  let run: Run | undefined;
  let json = false;
  const { program, whole } = createProgram((chosen, wantsJson) => {
    run = chosen;
    json = wantsJson;
  });
  try {
    // `help NAME` asks a command for its help without choosing it.
    if (args.includes("help")) await whole();
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.code === versionWanted) return printVersion();
    // Commander has printed what is wrong, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    throw error;
  }
  if (run === undefined) {
    program.outputHelp({ error: true });
    return exitCodes.usage;
  }
  const context = createContext(program.opts(), json);
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
    if (json) context.out.write(`${safeJson(errorJson(error, debug))}\n`);
    else context.err.write(renderError(error, { style: context.errStyle, debug }));
    return exitCodeOfError(error);
  }
}

/** What commander says about a command or arguments that it does not know, and below it what to try instead. */
function withAdvice(text: string): string {
  const { word, command, argument } =
    /^error: (?:unknown command '(?<word>[^'\n]*)'|too many arguments for '(?<command>[^'\n]*)'|missing required argument '(?<argument>[^'\n]*)')/.exec(
      text,
    )?.groups ?? {};
  const advice =
    word === undefined
      ? adviseAboutArguments({ tooManyFor: command, missing: argument })
      : adviseInstead(word);
  if (advice === undefined) return text;
  // Its own guess is by letters alone.
  const [first = "", ...rest] = text.split("\n");
  const others = rest.filter((line) => !line.startsWith("(Did you mean"));
  return [first, `hint: ${advice}`, ...others].join("\n");
}

/** @throws CommanderError when help is wanted of a command that there is not */
function refuseUnknown(command: CommandUnknownOpts): void {
  const [word, next] = command.args.filter((each) => !each.startsWith("-"));
  const wanted = word === "help" ? next : word;
  const there = command.commands.map((each) => each.name());
  if (wanted === undefined || there.length === 0 || there.includes(wanted)) return;
  const near = didYouMean(wanted, there);
  const guess = near === undefined ? "" : `\n(Did you mean ${near}?)`;
  command.error(`error: unknown command '${wanted}'${guess}`, { code: "commander.unknownCommand" });
}

export interface Program {
  readonly program: Command;
  /**
   * The same with everything that commands otherwise load when they run, for callers that read all of it; or only with
   * the commands among these words.
   */
  whole(among?: readonly string[]): Promise<Command>;
}

export function createProgram(choose: Choose): Program {
  const program = new Command("homelab-deploy")
    .description("Builds, caches and updates a fleet of NixOS hosts over NATS.")
    .option("-V, --version", "print the version and the commit")
    // As commander does it, and only on request: it may need git too.
    .on("option:version", () => {
      throw new CommanderError(exitCodes.success, versionWanted, "");
    })
    .option("--config <file>", "configuration file (default: $HOMELAB_DEPLOY_CONFIG)")
    .option(
      "--server <url>",
      "NATS server, may be repeated (default: the configuration's, then $NATS_URL)",
      collectServer,
    )
    .option("--nkey <file>", "file with the NKey seed to sign in to NATS with")
    .option("--creds <file>", "file with NATS credentials, instead of --nkey")
    .option("--tls-ca <file>", "certificate authority of the NATS servers")
    .option("--tls-cert <file>", "client certificate for NATS")
    .option("--tls-key <file>", "the key of --tls-cert")
    .option(
      "--context <name>",
      "a context of the nats command (default: $NATS_CONTEXT, then the selected one)",
    )
    .option("--inbox-prefix <prefix>", "prefix of reply subjects, such as _INBOX_operator")
    .option(
      "--jetstream-domain <domain>",
      "JetStream domain of the server with the streams, when connected to a leaf node",
    )
    .addOption(new Option("--color <when>", "colours").choices(colourChoices).default("auto" as const))
    .option("--ascii", "print ASCII characters only")
    .option("--debug", "show stack traces of errors")
    .addHelpText("after", commonHelp)
    .showHelpAfterError(
      "(homelab-deploy --help lists the commands, homelab-deploy COMMAND --help their options)",
    )
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(withAdvice(text)) })
    // Commander shows the help of the command before one that there is not, and calls that success.
    .addHelpText("beforeAll", ({ command }) => {
      refuseUnknown(command);
      return "";
    });

  const listed = new Map<CommandUnknownOpts, Listed & { readonly command: Command }>(
    commands.map(({ usage, description = "", declare }) => {
      const [name = ""] = usage.split(" ");
      const command = program
        .command(name, { hidden: description === "" })
        .description(description)
        .showHelpAfterError(`(see homelab-deploy ${name} --help)`);
      return [command, { usage, command, declare }] as const;
    }),
  );
  const usual = new Help();
  program.configureHelp({
    subcommandTerm: (command) => listed.get(command)?.usage ?? usual.subcommandTerm(command),
  });
  const declared = new Set<CommandUnknownOpts>();
  const declare = async (chosen: CommandUnknownOpts): Promise<void> => {
    const found = listed.get(chosen);
    if (found === undefined || declared.has(chosen)) return;
    declared.add(chosen);
    (await found.declare())(found.command, choose, whole);
    for (const each of found.command.commands)
      each.showHelpAfterError(`(see homelab-deploy ${found.command.name()} ${each.name()} --help)`);
  };
  async function whole(among?: readonly string[]): Promise<Command> {
    for (const command of listed.keys())
      if (among === undefined || among.includes(command.name())) await declare(command);
    return program;
  }
  program.hook("preSubcommand", async (_, chosen) => declare(chosen));
  return { program, whole };
}
