import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createCommandContext, runCommand } from "../../../../test/support/command-context.ts";
import { someOrder, somePolicy, someSigner, someStatement } from "../../../../test/support/deploy-orders.ts";
import { createFakeClock } from "../../../../test/support/fake-clock.ts";
import { encodeHostPolicy } from "../../../protocol/deploy/host-policy.ts";
import { signOrder, signStatement } from "../../../signing/sign-envelope.ts";

const test = base.extend("files", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "order-"));
  onCleanup(() => rm(directory, { recursive: true }));
  const stated = signStatement(someStatement(), someSigner("builder"));
  const files = { order: join(directory, "order.json"), policy: join(directory, "host.json") };
  const order = someOrder({ stated, reason: "new \u001b[31mkernel\u001b[0m" });
  await writeFile(files.order, signOrder(order, someSigner("kai"), stated));
  await writeFile(files.policy, encodeHostPolicy(somePolicy()));
  return files;
});

const at = (time: string) => createCommandContext({ clock: createFakeClock(time) });
const anonymous = (text: string): string => text.replaceAll(/\bA[A-Z2-7]{55}\b/g, "A…");

test("an order is shown as it was signed, and nothing of it reaches the terminal raw", async ({ files }) => {
  const { context, said } = at("2026-11-29T12:02:00.000Z");
  expect(await runCommand(context, "order", "show", files.order)).toBe(0);
  expect(anonymous(said.stdout)).toMatchInlineSnapshot(`
    "Order      01JDB3K2M4N5P6Q7R8S9T01001, activate (switch)
    Host       nixos-servers/web01
    System     /nix/store/n0w00000000000000000000000000000-nixos-system-new
    Serial     1795953660000
    Issued     2026-11-29T12:01:00.000Z, valid until 2026-11-29T12:16:00.000Z
    Expects    /nix/store/0ld00000000000000000000000000000-nixos-system-old
    Reboot     never
    By         kai, signed with A…
    Reason     new kernel
    Statement  nixos-servers/web01 is /nix/store/n0w00000000000000000000000000000-nixos-system-new
               commit cccccccccccccccccccccccccccccccccccccccc of master, x86_64-linux
               sha256:0111111111111111111111111111111111111111111111111111, 2026-11-29T12:00:00.000Z
               signed with A…
    "
  `);
});

test("a policy lets it in, and an hour later does not", async ({ files }) => {
  const { context, said } = at("2026-11-29T12:02:00.000Z");
  expect(await runCommand(context, "order", "verify", files.order, "--policy", files.policy)).toBe(0);
  expect(said.stdout).toContain("Valid: this policy accepts it");
  await expect(
    runCommand(
      at("2026-11-29T13:02:00.000Z").context,
      "order",
      "verify",
      files.order,
      "--policy",
      files.policy,
    ),
  ).rejects.toMatchObject({ kind: "unavailable", code: "EXPIRED" });
});

test("keys alone say whose signature it is", async ({ files }) => {
  const { context } = at("2026-11-29T12:02:00.000Z");
  const verify = async (name: string) =>
    runCommand(context, "order", "verify", files.order, "--key", someSigner(name).key);
  expect(await verify("kai")).toBe(0);
  await expect(verify("mallory")).rejects.toMatchObject({ kind: "refused", code: "UNTRUSTED_SIGNER" });
  await expect(runCommand(context, "order", "verify", files.order)).rejects.toMatchObject({
    code: "BAD_ARGUMENTS",
  });
});
