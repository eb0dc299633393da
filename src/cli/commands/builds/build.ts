// `homelab-deploy build`
import { Option, type Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import type { BuildId } from "../../../protocol/names.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect, outputOption, parseBuildReference, parseDuration } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { showCommand } from "../../../words/next-commands.ts";
import type { Context } from "../../context.ts";
import { showPassingLine } from "../../print/passing-line.ts";
import { openLocalReader, openReader, type ReaderSession } from "../../session/connect-reader.ts";

/** With `--detach`: how long NATS may take to store the request. A cluster may have to elect a leader first. */
const submitMs = 60_000;

/** Asks for a build, shows it until it is over, and exits with its verdict. */
export function addBuild(command: Command, choose: Choose): void {
  command
    .argument("[host...]", "hosts of nixosConfigurations, also as repo/host, or globs such as 'web*'")
    .option("--all", "every host of every repo, or of --repo")
    .option("--exclude <host>", "leave out this host, or all that match this glob; may be repeated", collect)
    .addOption(
      new Option("--failed [id]", "only what failed in that build (default: the newest)")
        .argParser(parseBuildReference)
        .conflicts(["all", "exclude", "branch", "rev", "changedSince", "local"]),
    )
    .option("--repo <name>", "only this repo")
    .option("--branch <branch>", "instead of the repo's configured branch")
    .option("--rev <commit>", "exactly this commit, as 40 hexadecimal digits")
    .option(
      "--changed-since <commit>",
      "leave out hosts whose system has not changed since that commit, given as 40 hexadecimal digits",
    )
    .option("--fresh", "evaluate again, and ignore remembered evaluations of the commit")
    .addOption(
      new Option(
        "--priority <priority>",
        "interactive builds run before batch builds (default: batch with --all, else interactive)",
      ).choices(["interactive", "batch"] as const),
    )
    .option("--detach", "print the build's id and do not wait")
    .option(
      "--timeout <duration>",
      "stop waiting after this time, such as 30m; the build continues",
      parseDuration,
    )
    .addOption(
      new Option("--on-interrupt <what>", "what Ctrl-C and SIGTERM do")
        .choices(["detach", "cancel"] as const)
        .default("detach" as const),
    )
    .option("--local", "build in this process, without NATS")
    .addOption(
      new Option("-q, --quiet", "only the result and errors").conflicts(["verbose", "printBuildLogs"]),
    )
    .option("-v, --verbose", "also print each derivation that starts")
    .option("-L, --print-build-logs", "print build logs")
    .option("--show-trace", "show evaluation errors with their whole trace")
    .addOption(outputOption("output format"))
    .addOption(
      new Option("--json", "print one JSON object per event; the same as --output jsonl").conflicts("output"),
    )
    .addHelpText(
      "after",
      examples(
        "build web01 gitea",
        "build 'web*' --exclude web03",
        "build --failed   # what the newest build did not build",
        "build --all --repo nixos-servers --branch update --detach",
        "build --all --branch topic --changed-since $(git merge-base main topic)",
        "build --all --on-interrupt cancel --timeout 2h   # in CI",
      ),
    )
    .action(
      chosen(choose, async (context, hosts, options) => {
        const { decideRequest } = await import("../../builds/decide-request.ts");
        const { failed } = options;
        if (failed !== undefined && hosts.length > 0) {
          throw new HomelabError("usage", "--failed and names of hosts exclude each other", {
            code: "BAD_ARGUMENTS",
            hint: "omit one of them; a build's id goes right after --failed",
          });
        }
        if (options.local === true && options.detach === true) {
          throw new HomelabError(
            "usage",
            "--detach needs a builder to continue without us, and --local has none",
            { code: "BAD_ARGUMENTS", hint: "omit one of them" },
          );
        }
        let asked = failed === undefined ? decideRequest(hosts, options, context) : undefined;
        await using session = await openSession(context, options);
        if (asked === undefined) {
          const { askForFailed } = await import("../../builds/ask-for-failed.ts");
          const reference = failed === true ? undefined : failed;
          const found = await askForFailed(context, session.reader, reference, options, session.signal);
          if (found.asked === undefined) {
            answer(context, {
              json: () => ({ build: null, failed: 0 }),
              text: () => `Nothing failed in build ${found.build}: there is nothing to build.\n`,
              line: true,
            });
            return exitCodes.success;
          }
          asked = found.asked;
        }
        const { target, request } = asked;
        const [{ watchBuild }, { describeRequest }] = await Promise.all([
          import("../../builds/watch-build.ts"),
          import("../../builds/decide-other-build.ts"),
        ]);
        session.handOver();
        const submit = async (signal: AbortSignal): Promise<void> =>
          session.reader.submit(target, request, signal);
        if (options.detach !== true)
          return await watchBuild(context, session.reader, request.id, options, {
            submit,
            ...describeRequest(target, request),
            fresh: request.fresh === true,
          });
        await submitWithin(submit, request.id, options.timeout ?? submitMs);
        answer(context, { json: () => ({ build: request.id }), text: () => `${request.id}\n`, line: true });
        return exitCodes.success;
      }),
    );
}

/** Says at once what it waits for: it can be a server that does not answer. */
async function openSession(
  context: Context,
  { local, quiet }: { readonly local?: true; readonly quiet?: true },
): Promise<ReaderSession> {
  const isShown = quiet !== true && !context.json;
  using _ = isShown
    ? showPassingLine(local === true ? "Starting a builder" : "Connecting to NATS", context.err)
    : undefined;
  return await (local === true ? openLocalReader(context) : openReader(context));
}

/** @throws HomelabError `unavailable` `NATS_TIMEOUT` */
async function submitWithin(
  submit: (signal: AbortSignal) => Promise<void>,
  id: BuildId,
  milliseconds: number,
): Promise<void> {
  const patience = AbortSignal.timeout(milliseconds);
  try {
    await submit(patience);
  } catch (error) {
    if (!patience.aborted || error !== patience.reason) throw error;
    throw new HomelabError("unavailable", `NATS has not stored the request within ${milliseconds / 1000} s`, {
      code: "NATS_TIMEOUT",
      hint: `it may arrive all the same: ${showCommand(id)}`,
    });
  }
}
