import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createCommandContext, runCommand } from "../../../../test/support/command-context.ts";
import { createFakeClock } from "../../../../test/support/fake-clock.ts";

/** Two repos of these URLs; nothing is there that could build or be asked. */
async function updateBoth(one: string, two: string, repo?: string) {
  const directory = await mkdtemp(join(tmpdir(), "homelab-shared-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "homelab.json");
  await writeFile(
    file,
    JSON.stringify({ repos: { one: { url: one }, two: { url: two, directory: "two" } } }),
  );
  const { context } = createCommandContext({
    options: { config: file },
    environment: { HOME: directory, PATH: directory },
    clock: createFakeClock(),
  });
  const named = repo === undefined ? [] : ["--repo", repo];
  return runCommand(context, "update", "--builds", "local", ...named);
}

test.each([
  ["https://git.lan/fleet.git", "https://git.lan/fleet.git"],
  ["https://git.lan/fleet.git", "https://git.lan/fleet"],
])("of two repos in one repository, %s and %s, none is updated unless one is named", async (one, two) => {
  await expect(updateBoth(one, two)).rejects.toMatchObject({
    kind: "config",
    code: "SHARED_REPOSITORY",
    message: "one and two are in one repository, of which only one can be updated",
  });
  await expect(updateBoth(one, two, "one")).rejects.not.toMatchObject({ code: "SHARED_REPOSITORY" });
});

test("repos in two repositories do not keep each other from their updates", async () => {
  const failing = updateBoth("https://git.lan/fleet.git", "https://git.lan/other.git");
  await expect(failing).rejects.not.toMatchObject({ code: "SHARED_REPOSITORY" });
});
