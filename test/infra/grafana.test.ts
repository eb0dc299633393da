import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDashboard, selectorsIn, withoutPromtool } from "./monitoring-files.ts";

const dashboard = readDashboard();
const { panels } = dashboard;

test("the dashboard can be imported anywhere: a fixed uid, no database id, the data source as a variable", () => {
  expect(dashboard.uid).toBe("homelab-deploy");
  expect(dashboard).not.toHaveProperty("id");
  expect(dashboard).not.toHaveProperty("__inputs");
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "repo", "host"]);
  for (const { datasource } of panels.filter(({ type }) => type !== "row")) {
    expect(datasource?.uid).toBe("${datasource}");
  }
});

test("panels have numbers of their own, do not overlap, and say what they show", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.get(`${x},${y}`) ?? title).toBe(title);
        taken.set(`${x},${y}`, title);
      }
    }
  }
  for (const panel of panels.filter(({ type }) => type !== "row")) {
    expect(panel.description).toMatch(/\w.*\.$/);
    expect(panel.targets?.length).toBeGreaterThan(0);
    expect(panel.targets?.flatMap(({ expr }) => selectorsIn(expr)).length).toBeGreaterThan(0);
  }
});

test("it has a part for all that can be watched", () => {
  const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
  expect(rows).toEqual([
    "Fleet",
    "Builds",
    "Evaluations",
    "Remote builders",
    "Updates",
    "Store and cache",
    "Logs",
    "Deployments",
    "Rollouts",
  ]);
});

test("Prometheus understands every expression", ({ skip }) => {
  skip(withoutPromtool !== undefined, withoutPromtool);
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const rules = expressions.map((expr, index) => ({ record: `panel:${index}`, expr }));
  const directory = mkdtempSync(join(tmpdir(), "homelab-dashboard-"));
  try {
    // JSON is YAML.
    writeFileSync(join(directory, "rules.yml"), JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const { stdout, stderr } = spawnSync("promtool", ["check", "rules", "rules.yml"], {
      cwd: directory,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(stdout).toContain(`SUCCESS: ${expressions.length} rules found`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
