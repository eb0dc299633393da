// `homelab-deploy build`
import { Option, type Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { outputOption, parseDuration } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openLocalReader, openReader } from "../../session/connect-reader.ts";

/** With `--detach`: how long NATS may take to store the request. */
const submitMs = 30_000;

/** Asks for a build, shows it until it is over, and exits with its verdict. */
export function addBuild(command: Command, choose: Choose): void {
  command
    .argument("[host...]", "hosts of nixosConfigurations, also as repo/host")
    .option("--all", "every host of every repo, or of --repo")
    .option("--repo <name>", "only this repo")
    .option("--branch <branch>", "instead of the repo's configured branch")
    .option("--rev <commit>", "exactly this commit, as 40 hexadecimal digits")
    .option("--fresh", "evaluate anew, whatever is remembered of the commit")
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
    .addOption(outputOption("how to print"))
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
    .action(
      chosen(choose, async (context, hosts, options) => {
        const [{ decideRequest }, { watchBuild }, { requestDigest }] = await Promise.all([
          import("../../builds/decide-request.ts"),
          import("../../builds/watch-build.ts"),
          import("../../../protocol/request-digest.ts"),
        ]);
        const { target, request } = decideRequest(hosts, options, context);
        if (options.local === true && options.detach === true) {
          throw new HomelabError(
            "usage",
            "--detach needs a builder to go on without us, and --local has none",
            { code: "BAD_ARGUMENTS", hint: "leave one of them out" },
          );
        }
        await using session = await (options.local === true ? openLocalReader(context) : openReader(context));
        session.handOver();
        const submit = async (signal: AbortSignal): Promise<void> =>
          session.reader.submit(target, request, signal);
        if (options.detach !== true)
          return await watchBuild(context, session.reader, request.id, options, {
            submit,
            about: requestDigest(target, request),
            fresh: request.fresh === true,
          });
        await submit(AbortSignal.timeout(options.timeout ?? submitMs));
        answer(context, { json: () => ({ build: request.id }), text: () => `${request.id}\n`, line: true });
        return exitCodes.success;
      }),
    );
}
