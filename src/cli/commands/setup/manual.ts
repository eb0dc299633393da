// `homelab-deploy manual`: its manual pages, for packages to install.
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { Context } from "../../context.ts";
import { programVersion } from "../../../wiring/program-version.ts";

export const manualPages = ["homelab-deploy.1", "homelab-deploy.json.5"] as const;

export async function runManual(
  context: Context,
  name: (typeof manualPages)[number],
  program: Command,
): Promise<number> {
  const version = programVersion();
  if (name === "homelab-deploy.1") {
    const { commandPage } = await import("../../manual/command-page.ts");
    context.out.write(commandPage(program, version));
  } else {
    const { configPage } = await import("../../manual/config-page.ts");
    context.out.write(configPage(version));
  }
  return exitCodes.success;
}
