import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scrapeOfDeployer } from "../support/scrape-of-deployer.ts";
import { scrapeOfHost } from "../support/scrape-of-host.ts";
import {
  allSelectors,
  missingIn,
  readAlerts,
  readTestedAlerts,
  rulesDirectory,
  ruleTests,
  selectorsIn,
  withoutPromtool,
} from "./monitoring-files.ts";

const root = join(import.meta.dirname, "../..");
const alerts = readAlerts();

test.for([
  { what: "check", files: ["rules.yml"] },
  { what: "test", files: ruleTests },
])("promtool $what rules finds nothing wrong", ({ what, files }, { skip }) => {
  skip(withoutPromtool !== undefined, withoutPromtool);
  const { status, stdout, stderr } = spawnSync("promtool", [what, "rules", ...files], {
    cwd: rulesDirectory,
    encoding: "utf8",
  });
  expect(stdout + stderr).not.toContain("FAILED");
  expect(status).toBe(0);
});

test("a test expects every alert to fire, and another one that it does not", () => {
  const both = new Set(["fires", "is silent"]);
  expect(alerts.length).toBeGreaterThan(10);
  expect(readTestedAlerts()).toEqual(new Map(alerts.map(({ name }) => [name, both])));
});

test.each(alerts)(
  "$name says how urgent it is and what to do",
  ({ name, severity, runbook, text, expression }) => {
    expect(name).toMatch(/^HomelabDeploy[A-Z]\w+$/);
    expect(["critical", "warning", "info"]).toContain(severity);
    expect(text).toContain("          summary: ");
    expect(text).toContain("          description: ");
    expect(expression).not.toBe("");
    const page = runbook.split("#")[0] ?? "";
    expect(page).toMatch(/^docs\/(?:[a-z]+\/)+[a-z-]+\.md$/);
    expect(existsSync(join(root, page))).toBe(true);
  },
);

test("metrics and labels are read out of expressions, and those that a scrape lacks are named", () => {
  const selectors = selectorsIn(
    'sum by (host) (rate(homelab_deploy_a_total{host=~"$host", job!="x"}[5m])) / homelab_deploy_b',
  );
  expect(selectors).toEqual([
    { metric: "homelab_deploy_a_total", labels: ["host", "job"] },
    { metric: "homelab_deploy_b", labels: [] },
  ]);
  expect(missingIn('homelab_deploy_a_total{host="h"} 1\n', selectors)).toEqual(["homelab_deploy_b"]);
  expect(missingIn('homelab_deploy_a_total{repo="h"} 1\nhomelab_deploy_b 2', selectors)).toEqual([
    "homelab_deploy_a_total{host}",
  ]);
});

test("what alerts and dashboard name of deployments is in the scrape of a host from the start", async () => {
  const ofHosts = allSelectors().filter(({ metric }) =>
    /^homelab_deploy_(?:deployment|orders_rejected|host_(?!last_build|info|seen|behind))/.test(metric),
  );
  expect(ofHosts.length).toBeGreaterThan(15);
  expect(missingIn(await scrapeOfHost(), ofHosts)).toEqual([]);
});

test("what alerts and dashboard name of rollouts is in the scrape of a deployer from the start", async () => {
  const ofDeployers = allSelectors().filter(({ metric }) =>
    /^homelab_deploy_(?:rollout|deployer|hosts_|host_(?:seen|behind))/.test(metric),
  );
  expect(ofDeployers.length).toBeGreaterThan(5);
  expect(missingIn(await scrapeOfDeployer(), ofDeployers)).toEqual([]);
});
