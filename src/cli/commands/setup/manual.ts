// `homelab-deploy manual`: its manual pages, for packages to install.
import { Argument, type Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { programVersion } from "../../../wiring/program-version.ts";
import { chosen, type Choose } from "../../command.ts";

export const manualPages = ["homelab-deploy.1", "homelab-deploy.json.5"] as const;

export function addManual(command: Command, choose: Choose, whole: () => Promise<Command>): void {
  command.addArgument(new Argument("<page>").choices(manualPages)).action(
    chosen(choose, async (context, page) => {
      const version = programVersion();
      if (page === "homelab-deploy.1") {
        const { commandPage } = await import("../../manual/command-page.ts");
        context.out.write(commandPage(await whole(), version));
      } else {
        const { configPage } = await import("../../manual/config-page.ts");
        context.out.write(configPage(version));
      }
      return exitCodes.success;
    }),
  );
}
