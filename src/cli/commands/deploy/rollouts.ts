// `homelab-deploy rollouts list|show|pause|resume|abort|retry`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { RolloutControl } from "../../rollouts/control-rollout.ts";
import { examples } from "../../arguments/help-text.ts";
import { parseDuration, parsePositive, parseRolloutReference } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openDeploy } from "../../session/connect-deploy.ts";

const which = "the id, or its first characters; `last` for the newest (default: the one that runs)";

export function addRollouts(rollouts: Command, choose: Choose): void {
  rollouts.addHelpText(
    "after",
    examples(
      "rollouts show --follow   # the live view of the one that runs",
      "rollouts pause --reason 'the login page is slow'",
      "rollouts retry last",
    ),
  );
  addList(rollouts, choose);
  addShow(rollouts, choose);
  addControl(rollouts, choose, "pause", "Stop ordering hosts until the rollout is resumed.");
  addControl(
    rollouts,
    choose,
    "resume",
    "Continue a rollout that is paused, halted or waiting for a person.",
  );
  addControl(
    rollouts,
    choose,
    "abort",
    "End a rollout: order nothing more, and withdraw orders that no host has begun.",
  );
  addRetry(rollouts, choose);
}

function addList(rollouts: Command, choose: Choose): void {
  rollouts
    .command("list", { isDefault: true })
    .description("List the newest rollouts.")
    .option("--repo <name>", "only this repo")
    .option("--limit <count>", "maximum number of entries", parsePositive, 20)
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { repo, limit, absolute }) => {
        const [{ readRollouts }, { rememberNames }, { renderRollouts }, { summaryJson }] = await Promise.all([
          import("../../rollouts/find-rollout.ts"),
          import("../../arguments/known-names.ts"),
          import("../../print/pages/rollouts-table.ts"),
          import("../../print/rollout/rollout-json.ts"),
        ]);
        await using session = await openDeploy(context);
        const ids = await session.rollouts.rolloutIds(session.signal);
        const found = await readRollouts(session.rollouts, ids.slice(0, limit), session.signal);
        const shown = found
          .map(({ rollout }) => rollout)
          .filter((rollout) => repo === undefined || rollout.repo === repo);
        await rememberNames(context.environment, { rollouts: ids.slice(0, 50) });
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => ({ rollouts: shown.map(summaryJson) }),
          text: () => renderRollouts(shown, { style, width: out.columns, now: clock.now(), absolute, ids }),
        });
        return exitCodes.success;
      }),
    );
}

function addShow(rollouts: Command, choose: Choose): void {
  rollouts
    .command("show")
    .description("Show one rollout: its waves, its hosts, what it waits for. Exits with its result.")
    .argument("[rollout]", which, parseRolloutReference)
    .option("--follow", "show the live view until the rollout is over")
    .option(
      "--timeout <duration>",
      "with --follow: stop watching after this time, such as 30m",
      parseDuration,
    )
    .option("--json", "print one JSON document; with --follow, one object for each event")
    .action(
      chosen(choose, async (context, reference, { follow, timeout }) => {
        const [{ findRollout }, { showRollout }] = await Promise.all([
          import("../../rollouts/find-rollout.ts"),
          import("../../rollouts/show-rollout.ts"),
        ]);
        await using session = await openDeploy(context);
        const { rollout } = await findRollout(session.rollouts, reference, session.signal, {
          orNewest: true,
        });
        if (follow !== true) return await showRollout(context, session, rollout);
        const { watchRollout } = await import("../../rollouts/watch-rollout.ts");
        return await watchRollout(context, session, rollout.id, { timeout });
      }),
    );
}

const said: Readonly<Record<RolloutControl, { readonly changed: string; readonly same: string }>> = {
  pause: { changed: "is paused; hosts that are being deployed finish first", same: "is paused already" },
  resume: { changed: "is resumed", same: "is neither paused nor halted" },
  abort: {
    changed: "is aborted; hosts that are being deployed finish first",
    same: "is being aborted already",
  },
};

function addControl(rollouts: Command, choose: Choose, control: RolloutControl, description: string): void {
  rollouts
    .command(control)
    .description(description)
    .argument("[rollout]", which, parseRolloutReference)
    .option("--reason <text>", "why, recorded for others to read")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, reference, { reason }) => {
        const [{ findRollout }, { controlRollout }, { requester }] = await Promise.all([
          import("../../rollouts/find-rollout.ts"),
          import("../../rollouts/control-rollout.ts"),
          import("../../builds/decide-request.ts"),
        ]);
        await using session = await openDeploy(context);
        const { rollouts: bus, signal } = session;
        const { id } = (await findRollout(bus, reference, signal)).rollout;
        const asking = { by: requester().slice(0, 64), reason, now: () => context.clock.now() };
        const { changed } = await controlRollout(bus, id, control, asking, signal);
        answer(context, {
          json: () => ({ rollout: id, action: control, changed }),
          text: () => `Rollout ${id} ${said[control][changed ? "changed" : "same"]}.\n`,
        });
        return exitCodes.success;
      }),
    );
}

function addRetry(rollouts: Command, choose: Choose): void {
  rollouts
    .command("retry")
    .description("Start a new rollout of the newest build, for the hosts that a former rollout left behind.")
    .argument("<rollout>", "the id, or its first characters; `last` for the newest", parseRolloutReference)
    .option("--plan", "show the plan, and start nothing")
    .option("--at-once", "all hosts in one wave; hosts that others depend on still come last, one by one")
    .option("--reason <text>", "why, recorded for others to read")
    .option("--detach", "print the new rollout's id and do not wait")
    .option(
      "--timeout <duration>",
      "stop watching after this time, such as 30m; the rollout continues",
      parseDuration,
    )
    .option("--yes", "do not ask")
    .option("--json", "print one JSON object per event")
    .action(
      chosen(choose, async (context, reference, options) => {
        const { retryRollout } = await import("../../rollouts/retry-rollout.ts");
        await using session = await openDeploy(context);
        return await retryRollout(context, session, reference, options);
      }),
    );
}
