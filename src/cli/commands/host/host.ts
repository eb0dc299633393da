// `homelab-deploy host status|apply|recover`, typed on the host itself, and what its units run there.
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import type { Context } from "../../context.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addHost(host: Command, choose: Choose): void {
  host
    .command("status")
    .description("Show what runs here, what boots next, and how the last deployments ended.")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context) => {
        const [{ readHostStatus }, { renderHostStatus }] = await Promise.all([
          import("../../host/read-host-status.ts"),
          import("../../host/render-host-status.ts"),
        ]);
        const status = await readHostStatus(await composed(context), untilInterrupted(context.signals));
        answer(context, {
          json: () => status,
          text: () => renderHostStatus(status, context.outStyle, context.clock.now()),
        });
        return exitCodes.success;
      }),
    );

  host
    .command("apply")
    .description("Deploy by hand, when NATS or the builder's key is broken.")
    .argument("[order]", "a file with an order envelope")
    .option(
      "--without-statement <path>",
      "deploy this store path without a builder's signature, on root's authority",
    )
    .option("--confirm", "confirm yourself that the host works, instead of through NATS")
    .addHelpText(
      "after",
      examples("host apply order.json", "host apply --without-statement /nix/store/…-nixos-system-web01"),
    )
    .action(
      chosen(choose, async (context, file, options) => {
        const { applyByHand } = await import("../../host/apply-by-hand.ts");
        return applyByHand(
          context,
          await composed(context),
          { file, ...options },
          untilInterrupted(context.signals),
        );
      }),
    );

  host
    .command("recover")
    .description(
      "Finish a deployment that a crash or power cut interrupted; after a failed rollback, accept orders again.",
    )
    .option("--boot", "only finish an interrupted deployment, as the unit does at boot")
    .action(
      chosen(choose, async (context, { boot }) => {
        const { recoverHost } = await import("../../host/recover-host.ts");
        return recoverHost(
          context,
          await composed(context),
          { isBoot: boot === true },
          untilInterrupted(context.signals),
        );
      }),
    );

  host
    .command("work", { hidden: true })
    .description("What the activation unit runs.")
    .action(
      chosen(choose, async (context) => {
        await (await composed(context)).deploy(untilInterrupted(context.signals));
        return exitCodes.success;
      }),
    );

  host
    .command("answer", { hidden: true })
    .description("What the activator's socket runs: one message from the listener, and the answer to it.")
    .requiredOption("--peer <instance>", "who is at the other end: %i of the unit")
    .action(
      chosen(choose, async (context, { peer }) => {
        const [{ answerListener }, { peerOfInstance }] = await Promise.all([
          import("../../host/answer-listener.ts"),
          import("../../host/peer-of-instance.ts"),
        ]);
        const pid = peerOfInstance(peer);
        return answerListener(context, await composed(context), pid, untilInterrupted(context.signals));
      }),
    );

  host
    .command("check-policy", { hidden: true })
    .description("Whether a file is a policy that this release obeys: the NixOS module asks while it builds.")
    .argument("<file>")
    .action(
      chosen(choose, async (context, file) => {
        const { readPolicy } = await import("../../../wiring/deploy/read-policy.ts");
        const { repo, host: name } = await readPolicy(file);
        context.out.write(`${file} is the policy of ${repo}/${name}.\n`);
        return exitCodes.success;
      }),
    );
}

async function composed({ clock, environment }: Context) {
  const [{ composeHost, machinePlaces }, { ownCommand }] = await Promise.all([
    import("../../../wiring/deploy/compose-host.ts"),
    import("../../../wiring/deploy/own-command.ts"),
  ]);
  return composeHost({ clock, environment, places: machinePlaces, program: ownCommand() });
}
