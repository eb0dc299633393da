// `homelab-deploy update`
import { Option, type Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { SafeUpdateResult } from "../../../update/conclude.ts";
import type { ComposedUpdate } from "../../../wiring/updates/compose-update.ts";
import { collect } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { errorJson, exitCodeOfError, renderError } from "../../print/error.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** The safe update of the repos' flake inputs. Exits as the worst of them. */
export function addUpdate(command: Command, choose: Choose): void {
  command
    .option("--repo <name>", "only this repo")
    .option("--input <name>", "only this input of the flake, may be repeated", collect)
    .option("--fresh", "ignore the results of earlier runs: build and search for breaking inputs again")
    .option("--dry-run", "build and report what would happen; push nothing and notify nobody")
    .option("--proposal-succeeds", "exit with 0 also when an update became a pull request; for timers")
    .addOption(
      new Option("--builds <where>", "who builds (default: nats; local with --dry-run)").choices([
        "local",
        "nats",
      ] as const),
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, options) => {
        const [
          { chooseRepos, refuseShared },
          { openUpdates },
          wiring,
          { safeUpdate },
          unreached,
          registry,
          notes,
          print,
        ] = await Promise.all([
          import("../../arguments/choose-repos.ts"),
          import("../../session/open-updates.ts"),
          import("../../../wiring/updates/compose-update.ts"),
          import("../../../update/safe-update.ts"),
          import("../../../update/unreached-inputs.ts"),
          import("../../../update/registry-inputs.ts"),
          import("../../print/pages/input-notes.ts"),
          import("../../print/pages/update-result.ts"),
        ]);
        const signal = untilInterrupted(context.signals);
        const config = await loadCommandConfig(context);
        const repos = chooseRepos(config, options.repo);
        refuseShared(repos);
        const dryRun = options.dryRun === true;
        if (dryRun && options.builds === "nats") {
          throw new HomelabError(
            "usage",
            "a dry run pushes nothing, so a builder elsewhere cannot see what to build",
            { code: "BAD_ARGUMENTS", hint: "use --builds local with --dry-run" },
          );
        }
        await using updates = await openUpdates(
          context,
          config,
          dryRun || options.builds === "local",
          signal,
        );
        const { out, outStyle, err, errStyle } = context;
        const { debug } = context.options;
        let worst: number = exitCodes.success;
        const documents: object[] = [];
        for (const [repo, settings] of repos) {
          const parts = {
            ...updates,
            repo,
            settings,
            dryRun,
            inputs: options.input,
            fresh: options.fresh === true,
          };
          let composed: ComposedUpdate | undefined;
          try {
            composed = await wiring.composeUpdate(parts, signal);
            const result = await safeUpdate(composed.options, signal);
            const unavailable = unreached.unreachedInputs(composed.options.run.journal) ?? [];
            const isStuck = unavailable.some(unreached.needsPerson);
            worst = Math.max(worst, updateExitCode(result, isStuck, options.proposalSucceeds === true));
            const inputs = unavailable.map((each) => ({ ...each, needsPerson: unreached.needsPerson(each) }));
            const ofRegistry = registry.registryInputsOf(composed.options.run.journal);
            documents.push({ repo, ...print.updateJson(result), unavailable: inputs, registry: ofRegistry });
            if (context.json) continue;
            out.write(print.describeUpdate(repo, result, composed.reportFile, outStyle));
            out.write(print.describeUnavailable(unavailable, outStyle));
            out.write(notes.registryNotes(ofRegistry, outStyle));
          } catch (error) {
            signal.throwIfAborted();
            if (composed === undefined) await wiring.announceUncomposed(parts, error, signal);
            // One repo's fault does not keep the others from their update.
            worst = Math.max(worst, exitCodeOfError(error));
            documents.push({ repo, outcome: "error", ...errorJson(error, debug) });
            if (context.json) continue;
            err.write(`${errStyle.bold(`${repo}:`)}\n${renderError(error, { style: errStyle, debug })}`);
          }
        }
        answer(context, { json: () => ({ updates: documents }), text: () => "" });
        return worst;
      }),
    );
}

/**
 * 0: landed, or nothing to do. 1: a person is needed. 3: no verdict; the next run resumes. 4: no verdict, because a
 * remote refuses the builder.
 *
 * @param isStuck an input needs a person, which nobody hears of where nothing is proposed
 * @param proposalSucceeds a proposal is 0 too: its pull request tells a person, so a service manager need not
 */
function updateExitCode(result: SafeUpdateResult, isStuck: boolean, proposalSucceeds: boolean): number {
  switch (result.type) {
    case "no-change":
    case "landed":
      return isStuck ? exitCodes.failed : exitCodes.success;
    case "proposed":
      return proposalSucceeds ? exitCodes.success : exitCodes.failed;
    case "declined":
      return proposalSucceeds && !isStuck ? exitCodes.success : exitCodes.failed;
    case "infra":
      return result.isRefused ? exitCodes.refused : exitCodes.unavailable;
    case "dry-run":
      return result.wouldLand && !isStuck ? exitCodes.success : exitCodes.failed;
  }
}
