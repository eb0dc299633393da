// `homelab-deploy rollback`
import type { Command } from "@commander-js/extra-typings";
import { examples } from "../../arguments/help-text.ts";
import { chosen, type Choose } from "../../command.ts";
import { addOrderOptions } from "./order-options.ts";

export function addRollback(command: Command, choose: Choose): void {
  addOrderOptions(command.argument("<host...>", "hosts, also as repo/host, or globs"))
    .addHelpText("after", examples("rollback web01 --reason 'the login page is empty'"))
    .action(
      chosen(choose, async (context, hosts, options) => {
        const { runOrderCommand } = await import("../../deploy/run-order-command.ts");
        const specification = {
          kind: "rollback",
          action: "switch",
          reboot: false,
          allowDrift: false,
        } as const;
        return runOrderCommand(context, { hosts, repo: options.repo }, specification, options);
      }),
    );
}
