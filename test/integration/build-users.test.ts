// Nix as root on a machine without the group that it wants to build as.
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { judgeBuildUsers } from "../../src/cli/doctor/check-nix.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { StorePath } from "../../src/protocol/names.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import * as v from "valibot";

const expression = `derivation {
  name = "built"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo >$out" ];
}`;

test("builds work, and it is said that they run as root", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root changes users for builds");
  await using store = await createThrowAwayStore({ "build-users-group": "homelab-no-such-group" });
  const warnings: string[] = [];
  const nix = await createNix(
    {
      exec: createExec(),
      environment: store.environment,
      stateDirectory: `${store.directory}/ours`,
      clock: systemClock,
      log: { ...silentLog, warn: (_, message) => void warnings.push(message) },
    },
    new AbortController().signal,
  );
  expect(warnings).toEqual([expect.stringContaining("builds run as root")]);
  expect(judgeBuildUsers(nix)).toMatchObject({
    state: "warning",
    message: expect.stringContaining("the group homelab-no-such-group"),
    hint: expect.stringContaining("groupadd -r homelab-no-such-group"),
  });

  const drvPath = v.parse(StorePath, (await store.run("nix-instantiate", "--expr", expression)).trim());
  const signal = new AbortController().signal;
  await nix.realise([drvPath], { timeoutSeconds: 60, silenceSeconds: 60 }, async () => undefined, signal);
  const outPath = v.parse(StorePath, (await store.run("nix-store", "--query", "--outputs", drvPath)).trim());
  expect(await nix.validPaths([outPath], signal)).toEqual(new Set([outPath]));
});
