import { expect } from "vitest";
import { test } from "../support/homelab.ts";

interface Status {
  readonly well: boolean;
  readonly problems: readonly string[];
  readonly queue: {
    readonly waiting: number;
    readonly targets: readonly object[];
    readonly oldestAt?: string;
  };
  readonly hosts: readonly { readonly host: string; readonly failsSince?: string }[];
}

/** As Nix writes it for a flake without inputs. */
const files = { "flake.lock": `{ "nodes": { "root": {} }, "root": "root", "version": 7 }` };

test("status says what is not well, until it is mended, and hosts show since when", async ({ homelab }) => {
  const status = async (): Promise<Status & { readonly exitCode: unknown }> => {
    const { exitCode, stdout } = await homelab.run(["status", "--json"], { user: "dashboard" });
    return { ...(JSON.parse(stdout) as Status), exitCode };
  };
  expect(await status()).toMatchObject({ exitCode: 1, problems: ["no builder was ever here"] });
  await homelab.run(["build", "--all", "--detach", "--priority", "interactive"]);
  const { queue } = await status();
  expect(queue).toMatchObject({ waiting: 1, targets: [{ target: { repo: "any", host: "all" }, count: 1 }] });
  expect(Date.now() - Date.parse(queue.oldestAt ?? "")).toBeLessThan(60_000);

  const good = await homelab.fleet.commit({ hosts: 2, salt: "status" }, { files });
  await homelab.startBuilder();
  await expect.poll(status, { timeout: 30_000 }).toMatchObject({ exitCode: 0, well: true });

  const bad = await homelab.fleet.commit(
    { hosts: 2, salt: "status", buildFail: { host02: "exit1" } },
    { files },
  );
  expect((await homelab.run(["build", "--all"])).exitCode).toBe(1);
  expect(await status()).toMatchObject({ exitCode: 1, problems: ["1 host fails"] });
  const page = await homelab.run(["status"]);
  expect(page.stdout).toMatch(/fleet\/host02 +✗ build failed/);

  const shown = await homelab.run(["hosts", "show", "host02", "--json"]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    builds: [{ verdict: "build-failed" }, { verdict: "built" }],
    breakage: { first: { commit: bad }, lastGood: { commit: good }, inputs: [] },
  });
  const unknown = await homelab.run(["hosts", "show", "host22"]);
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain("did you mean host02?");

  // What fails at a commit on no branch is not missed there.
  await homelab.fleet.commit({ hosts: 2, salt: "status" });
  expect((await homelab.run(["build", "--all"])).exitCode).toBe(0);
  expect((await homelab.run(["build", "--all", "--repo", "fleet", "--rev", bad])).exitCode).toBe(1);
  expect(await status()).toMatchObject({ exitCode: 0, well: true });
  await homelab.fleet.commit({ hosts: 2 }, { files: { "flake.nix": "{ outputs = syntax error" } });
  expect((await homelab.run(["build", "--all"])).exitCode).toBe(1);
  expect(await status()).toMatchObject({
    exitCode: 1,
    problems: ["the hosts of fleet could not be listed"],
  });

  // The host is removed instead of mended.
  await homelab.fleet.commit({ hosts: 1, salt: "status" });
  expect((await homelab.run(["build", "--all"])).exitCode).toBe(0);
  expect(await status()).toMatchObject({ exitCode: 0, hosts: [{ host: "host01" }] });
});
