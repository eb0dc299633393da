// `homelab-deploy order show|verify`
import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import type { OpenedEnvelope } from "../../../signing/open-envelope.ts";

export function addOrder(order: Command, choose: Choose): void {
  order
    .command("show")
    .description("Verify the signatures of an order and print what it orders.")
    .argument("<file>", "the order's envelope, as it is on NATS")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, file) => {
        const { opened } = await readOrder(file);
        const { renderOrder } = await import("../../print/pages/order-page.ts");
        answer(context, { json: () => opened, text: () => renderOrder(opened, context.outStyle) });
        return exitCodes.success;
      }),
    );

  order
    .command("verify")
    .description(
      "Check whether a host with this policy, or one that trusts these keys, would accept an order.",
    )
    .argument("<file>", "the order's envelope")
    .option("--policy <file>", "the host's host.json: check the order against all of it")
    .option("--key <key>", "a trusted public key; check signatures only", collect)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples(
        "order verify order.json --policy /run/current-system/etc/homelab-deploy/host.json",
        "order verify order.json --key AD…",
      ),
    )
    .action(
      chosen(choose, async (context, file, { policy, key: keys }) => {
        if ((policy === undefined) === (keys === undefined)) {
          throw new HomelabError("usage", "give --policy FILE or --key A… to check the order against", {
            code: "BAD_ARGUMENTS",
            hint: "a host's policy is /run/current-system/etc/homelab-deploy/host.json on it",
          });
        }
        const { opened, envelope } = await readOrder(file);
        const { refusalError } = await import("../../../deploy/ordering/refusal-error.ts");
        if (policy !== undefined) {
          const { verifyOrder } = await import("../../../deploy/ordering/verify-order.ts");
          const refusal = verifyOrder(envelope, opened, await readPolicy(policy), context.clock.now());
          if (refusal !== undefined) throw refusalError(refusal);
        } else if (keys?.includes(opened.key) !== true) {
          throw refusalError({
            code: "UNTRUSTED_SIGNER",
            detail: `the order is signed by ${opened.key}, which is not a key that you gave`,
          });
        }
        const { renderOrder } = await import("../../print/pages/order-page.ts");
        const judged =
          policy === undefined
            ? "its signature is valid; rights, statement and times were not checked without --policy"
            : "this policy accepts it; the host also checks its last serial and what it runs";
        answer(context, {
          json: () => ({ valid: true, checked: policy === undefined ? "signature" : "policy", ...opened }),
          text: () => `${renderOrder(opened, context.outStyle)}\nValid: ${judged}.\n`,
        });
        return exitCodes.success;
      }),
    );
}

async function readOrder(
  file: string,
): Promise<{ readonly opened: OpenedEnvelope; readonly envelope: Uint8Array }> {
  const [{ openEnvelope }, { maxEnvelopeBytes }] = await Promise.all([
    import("../../../signing/open-envelope.ts"),
    import("../../../protocol/deploy/order.ts"),
  ]);
  const envelope = await readInput(file, maxEnvelopeBytes);
  return { opened: openEnvelope(envelope), envelope };
}

async function readPolicy(file: string) {
  const { decodeHostPolicy, maxHostPolicyBytes } = await import("../../../protocol/deploy/host-policy.ts");
  return decodeHostPolicy(await readInput(file, maxHostPolicyBytes));
}

async function readInput(file: string, maxBytes: number): Promise<Uint8Array> {
  const { readBounded, whyUnreadable } = await import("../../../base/files/read-bounded.ts");
  const { text } = await readBounded(resolve(file), maxBytes).catch((error: unknown) => {
    throw new HomelabError("usage", `${file} cannot be read: ${whyUnreadable(error)}`, {
      code: "FILE_NOT_READABLE",
      hint: "check its name, its permissions and its size",
      cause: error,
    });
  });
  return new TextEncoder().encode(text);
}
