// How fast a start is, `npm run bench -- --only dashboard` measures: here it is only complete.
import { expect } from "vitest";
import { recordBuilds } from "../support/dashboard-load.ts";
import { test } from "../support/dashboard.ts";

const recorded = 10_000;
const hosts = ["web01", "db", "nas"] as const;

test("a start with 10,000 recorded builds knows all of them", { timeout: 600_000 }, async ({ lab }) => {
  await lab.builderIsHere("cache-host");
  await recordBuilds(lab, recorded, hosts);
  await using dashboard = await lab.serve();
  const text = async (path: string): Promise<string> => (await fetch(`${dashboard.url}${path}`)).text();
  await expect.poll(async () => (await fetch(`${dashboard.url}/healthz`)).status).toBe(200);
  const fleet = await text("/");
  expect(hosts.filter((host) => !fleet.includes(`/${host}"`))).toEqual([]);
  expect(/\d+ of \d+ builds/.exec(await text("/builds"))?.[0]).toBe(`50 of ${recorded + 1} builds`);
});
