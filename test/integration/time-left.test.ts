import { expect } from "vitest";
import type { BuildProgress } from "../../src/protocol/progress.ts";
import { test } from "../support/homelab.ts";

test("a build says how long it will take once that is known, and which hosts wait for a slot", async ({
  homelab,
}) => {
  await homelab.startBuilder("builder1", { build: { maxJobs: 1 } });
  const build = async (salt: string): Promise<readonly BuildProgress[]> => {
    await homelab.fleet.commit({ hosts: 3, salt, hostSeconds: 3 });
    const { exitCode, stdout } = await homelab.run(["build", "--all", "--json", "-v"]);
    expect(exitCode).toBe(0);
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly type: string } & BuildProgress)
      .filter(({ type }) => type === "progress");
  };
  const leftOf = (all: readonly BuildProgress[]): readonly number[] =>
    all.flatMap(({ builds }) => builds?.leftMs ?? []);

  const first = await build("first");
  expect(leftOf(first)).toEqual([]);
  const waiting = new Set(
    first
      .flatMap(({ hosts }) => hosts.filter(({ waitsForSlot }) => waitsForSlot === true))
      .map(({ host }) => host),
  );
  // Which of them, and how many, depends on when each was evaluated.
  expect(waiting.size).toBeGreaterThan(0);

  const left = leftOf(await build("second"));
  // Of three hosts of at least 3 s each, two at least were left when all were evaluated.
  expect(Math.max(...left)).toBeGreaterThan(4000);
  expect(Math.min(...left)).toBeLessThan(4000);
});
