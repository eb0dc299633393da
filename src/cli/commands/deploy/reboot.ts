// `homelab-deploy reboot`
import type { Command } from "@commander-js/extra-typings";
import { examples } from "../../arguments/help-text.ts";
import { chosen, type Choose } from "../../command.ts";
import { addOrderOptions } from "./order-options.ts";

export function addReboot(command: Command, choose: Choose): void {
  addOrderOptions(command.argument("<host...>", "hosts, also as repo/host, or globs"))
    .addHelpText("after", examples("reboot dns01 dns02 --yes   # one after another"))
    .action(
      chosen(choose, async (context, hosts, options) => {
        const { runOrderCommand } = await import("../../deploy/run-order-command.ts");
        const specification = { kind: "reboot", action: "switch", reboot: true, allowDrift: false } as const;
        return runOrderCommand(context, { hosts, repo: options.repo }, specification, options);
      }),
    );
}
