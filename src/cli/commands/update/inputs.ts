// `homelab-deploy inputs`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { errorJson, exitCodeOfError, renderError } from "../../print/error.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

/**
 * Exits with 0, or what stands for the worst fault of a repo or an input: 1 when upstream does not have what flake.nix
 * asks for, 3 when a remote does not answer, 4 when it refuses us.
 */
export function addInputs(command: Command, choose: Choose): void {
  command
    .option("--repo <name>", "only this repo")
    .option("--check", "ask upstream how far behind each input is")
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { repo: named, check, absolute }) => {
        const [{ chooseRepos }, { readInputs }, { renderInputs }, { renderNotes }] = await Promise.all([
          import("../../arguments/choose-repos.ts"),
          import("../../session/read-inputs.ts"),
          import("../../print/pages/inputs-table.ts"),
          import("../../print/pages/input-notes.ts"),
        ]);
        const signal = untilInterrupted(context.signals);
        const config = await loadCommandConfig(context);
        const repos = chooseRepos(config, named);
        const { inputs, notes, faults } = await readInputs(context, config, repos, check === true, signal);
        const { clock, out, outStyle: style, err, errStyle } = context;
        const { debug } = context.options;
        answer(context, {
          json: () => ({
            inputs,
            notes,
            errors: faults.map(({ repo, error }) => ({ repo, ...errorJson(error, debug) })),
          }),
          text: () =>
            inputs.length === 0 && faults.length > 0
              ? ""
              : renderInputs(inputs, { style, width: out.columns, now: clock.now(), absolute }) +
                renderNotes(notes, style),
        });
        for (const { repo, error } of context.json ? [] : faults) {
          err.write(`${errStyle.bold(`${repo}:`)}\n${renderError(error, { style: errStyle, debug })}`);
        }
        return Math.max(exitCodes.success, ...faults.map(({ error }) => exitCodeOfError(error)));
      }),
    );
}
