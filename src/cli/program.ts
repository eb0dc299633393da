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
    description: "Build hosts, show how it goes, and answer with success or failure.",
    declare: async () => (await import("./commands/builds/build.ts")).addBuild,
  },
  {
    usage: "builds",
    description: "Look at builds and cancel them.",
    declare: async () => (await import("./commands/builds/builds.ts")).addBuilds,
  },
  {
    usage: "logs [options] <id> [host]",
    description: "The logs of a build, or with --follow all of it as it happens.",
    declare: async () => (await import("./commands/builds/logs.ts")).addLogs,
  },
  {
    usage: "watch [options] [id]",
    description: "Attach to the live view of a build.",
    declare: async () => (await import("./commands/builds/watch.ts")).addWatch,
  },
  {
    usage: "hosts",
    description: "Every host that was built, with its last result; and one host in full.",
    declare: async () => (await import("./commands/builds/hosts.ts")).addHosts,
  },
  {
    usage: "status [options]",
    description: "The fleet on one screen; the exit code says whether it is well.",
    declare: async () => (await import("./commands/builds/status.ts")).addStatus,
  },
  {
    usage: "update [options]",
    description: "Update flake inputs safely: land what builds on every host, propose the rest.",
    declare: async () => (await import("./commands/update/update.ts")).addUpdate,
  },
  {
    usage: "inputs [options]",
    description: "What the inputs of the flakes are pinned to, and how old that is.",
    declare: async () => (await import("./commands/update/inputs.ts")).addInputs,
  },
  {
    usage: "cache",
    description: "The binary cache, and what its store keeps.",
    declare: async () => (await import("./commands/cache/cache.ts")).addCache,
  },
  {
    usage: "doctor [options]",
    description: "Check what homelab-deploy needs here, and say what to do about what is wrong.",
    declare: async () => (await import("./commands/setup/doctor.ts")).addDoctor,
  },
  {
    usage: "up [options]",
    description: "Everything on this machine: a private nats-server and a builder, until Ctrl-C.",
    declare: async () => (await import("./commands/daemons/up.ts")).addUp,
  },
  {
    usage: "builder",
    description: "The daemon that builds.",
    declare: async () => (await import("./commands/daemons/builder.ts")).addBuilder,
  },
  {
    usage: "config",
    description: "The configuration file.",
    declare: async () => (await import("./commands/setup/config.ts")).addConfig,
  },
  {
    usage: "nats",
    description: "The NATS server: keys, its configuration, streams.",
    declare: async () => (await import("./commands/nats/nats.ts")).addNats,
  },
  {
    usage: "completion <shell>",
    description: "Print a completion script for a shell.",
    declare: async () => (await import("./commands/setup/completion.ts")).addCompletion,
  },
  // For packages, and for the scripts of `completion`.
  { usage: "manual <page>", declare: async () => (await import("./commands/setup/manual.ts")).addManual },
  {
    usage: "complete [word...]",
    declare: async () => (await import("./commands/setup/completion.ts")).addComplete,
  },
];

/** Runs the command line and gives the exit code; everything that is thrown is printed here. */
export async function runProgram(args: readonly string[]): Promise<number> {
  guardStream(process.stdout, () => process.exit(exitCodes.success));
  guardStream(process.stderr, () => undefined);
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

/** What commander says of a command or arguments that it does not know, and below it what to try instead. */
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
  /** The same with everything that commands are loaded for otherwise, for who reads all of it. */
  whole(): Promise<Command>;
}

export function createProgram(choose: Choose): Program {
  const program = new Command("homelab-deploy")
    .description("Builds, caches and updates a fleet of NixOS hosts over NATS.")
    .version(programVersion())
    .option("--config <file>", "configuration file (default: $HOMELAB_DEPLOY_CONFIG)")
    .option(
      "--server <url>",
      "NATS server, may be repeated (default: the configuration's, then $NATS_URL)",
      collectServer,
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
    .option(
      "--jetstream-domain <domain>",
      "of the server that has the streams, when we connect to a leaf node",
    )
    .addOption(new Option("--color <when>", "colours").choices(colourChoices).default("auto" as const))
    .option("--ascii", "no characters beyond ASCII")
    .option("--debug", "show where errors come from")
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
        .showHelpAfterError(`(homelab-deploy ${name} --help says how)`);
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
  };
  async function whole(): Promise<Command> {
    for (const command of listed.keys()) await declare(command);
    return program;
  }
  program.hook("preSubcommand", async (_, chosen) => declare(chosen));
  return { program, whole };
}
