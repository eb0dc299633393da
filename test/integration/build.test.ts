import { expect } from "vitest";
import { test } from "../support/homelab.ts";

test("build --all over a server with the generated configuration: built, then unchanged", async ({
  homelab,
}) => {
  await homelab.fleet.commit({ hosts: 3, salt: "green" });
  await homelab.startBuilder();
  const first = await homelab.run(["build", "--all"]);
  expect(first.stderr + first.stdout).toContain("3");
  expect(first.exitCode).toBe(0);

  const second = await homelab.run(["build", "--all", "--json"]);
  expect(second.exitCode).toBe(0);
  const events = second.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; verdict?: string });
  expect(events.map((event) => event.type)).toEqual(["accepted", "evaluated", "hosts-finished", "finished"]);
  expect(events.at(-1)?.verdict).toBe("succeeded");
});
