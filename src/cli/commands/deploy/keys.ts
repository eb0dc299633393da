// `homelab-deploy keys create|show`
import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { answer, chosen, type Choose } from "../../command.ts";

export function addKeys(keys: Command, choose: Choose): void {
  keys
    .command("create")
    .description("Create a key that signs orders or statements, and print its public half.")
    .argument("<file>", "file for the seed; it is never overwritten")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples("keys create ~/.config/homelab-deploy/order.seed"))
    .action(
      chosen(choose, async (context, file) => {
        const { createSigningKey } = await import("../../../signing/signing-key-file.ts");
        const key = await createSigningKey(resolve(file));
        const name = context.errStyle.clean(file);
        context.err.write(
          `The seed is in ${name}; keep it secret. The public key, for trustedKeys or trustedBuilders of the hosts:\n`,
        );
        answer(context, { json: () => ({ key }), text: () => `${key}\n` });
        return exitCodes.success;
      }),
    );

  keys
    .command("show")
    .description("Print the public half of a key that signs.")
    .argument("<file>", "file with the seed")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, file) => {
        const { loadSigner } = await import("../../../signing/signing-key-file.ts");
        const { key } = await loadSigner(resolve(file));
        answer(context, { json: () => ({ key }), text: () => `${key}\n` });
        return exitCodes.success;
      }),
    );
}
