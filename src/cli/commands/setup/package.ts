// `homelab-deploy package`: what a build adds to the compiled program, so that every package has the same files.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chosen, type Choose } from "../../command.ts";
import { completionScripts } from "./completion.ts";

/** Completions and manual pages, where shells and man(1) look below a `share`. */
export const sharedFiles = {
  bash: "share/bash-completion/completions/homelab-deploy",
  zsh: "share/zsh/site-functions/_homelab-deploy",
  fish: "share/fish/vendor_completions.d/homelab-deploy.fish",
  commands: "share/man/man1/homelab-deploy.1",
  configuration: "share/man/man5/homelab-deploy.json.5",
} as const;

export function addPackage(command: Command, choose: Choose, whole: () => Promise<Command>): void {
  command.argument("<directory>").action(
    chosen(choose, async ({ environment }, directory) => {
      const [
        { commandPage },
        { configPage },
        { commitFile, commitOfCheckout },
        { programVersion },
        { createExec },
      ] = await Promise.all([
        import("../../manual/command-page.ts"),
        import("../../manual/config-page.ts"),
        import("../../../wiring/program-commit.ts"),
        import("../../../wiring/program-version.ts"),
        import("../../../process/create-exec.ts"),
      ]);
      const version = programVersion();
      // A build without a repository is told.
      const told = environment["HOMELAB_DEPLOY_COMMIT"] ?? "";
      const env = { PATH: environment["PATH"] ?? "" };
      const commit =
        told === "" ? await commitOfCheckout(createExec(), env, AbortSignal.timeout(10_000)) : told;
      const files: Readonly<Record<string, string>> = {
        [sharedFiles.bash]: completionScripts.bash,
        [sharedFiles.zsh]: completionScripts.zsh,
        [sharedFiles.fish]: completionScripts.fish,
        [sharedFiles.commands]: commandPage(await whole(), version),
        [sharedFiles.configuration]: configPage(version),
        [commitFile]: `${commit ?? "unknown"}\n`,
      };
      for (const [name, text] of Object.entries(files)) {
        const file = join(resolve(directory), name);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, text);
      }
      return exitCodes.success;
    }),
  );
}
