import { afterEach, expect, test, vi } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { parseBuildId } from "../../protocol/names.ts";
import { hostResultsOf, mergeHostResults, summaryOf } from "../../protocol/results.ts";
import { renderBuilds } from "./pages/builds-table.ts";
import { renderHosts } from "./pages/hosts-table.ts";
import { createStyle, plainStyle } from "./style.ts";
import { renderTable } from "./pages/table.ts";
import { displayWidth } from "./text-width.ts";

afterEach(() => vi.unstubAllEnvs());

const summarizeHosts = (states: readonly BuildState[]) => mergeHostResults(states.flatMap(hostResultsOf));

const print = { style: plainStyle, now: new Date("2026-11-23T14:20:00Z") };

test("columns are aligned by what is seen, and empty ones left out", () => {
  const style = createStyle({ colour: true, ascii: false });
  const table = {
    columns: [{ title: "A" }, { title: "Empty" }, { title: "N", align: "right" as const }, { title: "B" }],
    rows: [
      ["日本", "", "7", "x"],
      [style.red("web"), "", "1234", ""],
    ],
  };
  expect(renderTable(table, { style: plainStyle })).toEqual([
    "  A        N  B",
    "  日本     7  x",
    `  ${style.red("web")}   1234`,
  ]);
});

test("flexible columns give way, the last one first, and nothing is wider than the terminal", () => {
  const table = {
    columns: [{ title: "Host", flexible: true }, { title: "Result" }, { title: "Because", flexible: true }],
    rows: [["a-long-host-name", "failed", "because of this and that"]],
  };
  expect(renderTable(table, { style: plainStyle, width: 50, indent: "" })[1]).toBe(
    "a-long-host-name  failed  because of this and that",
  );
  expect(renderTable(table, { style: plainStyle, width: 40, indent: "" })[1]).toBe(
    "a-long-host-name  failed  because of th…",
  );
  for (let width = 1; width < 50; width++) {
    for (const line of renderTable(table, { style: plainStyle, width })) {
      expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  }
});

const second = parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W3");
const builds = [
  scriptBuild(second)
    .accepted(["web01", "nas"], { requestedBy: "kai\u001b[2J" })
    .hostsFinished("built", ["nas"]),
  scriptBuild()
    .accepted(["web01", "nas", "gitea"])
    .wait(73_000)
    .hostsFinished("built", ["web01", "nas"])
    .hostsFinished("build-failed", ["gitea"], { reason: "gitea-1.26.1: builder failed\u0007" })
    .finished("failed"),
].map(({ state }) => state);

test("builds: what happened to them, when, of what", () => {
  expect(renderBuilds(builds.map(summaryOf), print)).toMatchInlineSnapshot(`
    "Build                       Result     When           Time  Hosts  Source                 By
    01JDB3K2M4N5P6Q7R8S9T0V1W3  ▶ running  11 min ago  11m02s+  1/2    nixos-servers@9c41e7f  kai
    01JDB3K2M4N5P6Q7R8S9T0V1W2  ✗ failed   11 min ago    1m13s  2/3    nixos-servers@9c41e7f  manual
    "
  `);
  expect(renderBuilds([], print)).toBe("no builds yet\n");
});

test("a build that no builder has taken has the time of its id", () => {
  expect(renderBuilds([summaryOf(scriptBuild().state)], print)).toMatch(/queued .* ago/);
});

test("hosts: the newest verdict of each", () => {
  expect(renderHosts(summarizeHosts(builds), print)).toMatchInlineSnapshot(`
    "Host   Last result     When        Commit   Build                       Because
    gitea  ✗ build failed  11 min ago  9c41e7f  01JDB3K2M4N5P6Q7R8S9T0V1W2  gitea-1.26.1: builder failed
    nas    ✓ built         11 min ago  9c41e7f  01JDB3K2M4N5P6Q7R8S9T0V1W3
    web01  ✓ built         11 min ago  9c41e7f  01JDB3K2M4N5P6Q7R8S9T0V1W2
    "
  `);
  expect(renderHosts([], print)).toBe("no host was built yet\n");
});

test("of a reason of many lines a table has the first", () => {
  const reason = "flake.nix:51:15: attribute 'x' missing\n     50|   modes = {\n       |           ^";
  const { state } = scriptBuild().accepted(["gitea"]).hostsFinished("eval-failed", ["gitea"], { reason });
  const table = renderHosts(summarizeHosts([state]), print);
  expect(table.trimEnd()).toMatch(/attribute 'x' missing$/);
});

test("hosts: a cancelled build says nothing about a host, and repos are shown where there are several", () => {
  const newest = scriptBuild(second).accepted(["nixos/web01"]).hostsFinished("built", ["nixos/web01"]);
  const cancelled = scriptBuild(second).accepted(["gitea"]).hostsFinished("cancelled", ["gitea"]);
  const hosts = summarizeHosts([newest.state, cancelled.state, ...builds]);
  expect(hosts.find(({ host }) => host === "gitea")?.verdict).toBe("build-failed");
  expect(renderHosts(hosts, print).split("\n")[1]).toMatch(/^nixos {10}web01/);
});

test("on a terminal ids are cut to what tells them apart, which leaves room in 80 columns", () => {
  const later = scriptBuild(parseBuildId("01JDB3M9Q4N5P6Q7R8S9T0V1W2"))
    .accepted(["web01", "router"], { requestedBy: "kai@laptop" })
    .hostsFinished("built", ["web01", "router"])
    .finished("succeeded");
  const some = [later.state, ...builds.slice(1)];
  const ids = some.map(({ id }) => id);
  expect(renderBuilds(some.map(summaryOf), { ...print, width: 80, ids })).toMatchInlineSnapshot(`
    "Build       Result       When         Time  Hosts  Source                 By
    01JDB3M9Q4  ✓ succeeded  11 min ago     0s  2/2    nixos-servers@9c41e7f  kai@l…
    01JDB3K2M4  ✗ failed     11 min ago  1m13s  2/3    nixos-servers@9c41e7f  manual
    "
  `);
  expect(renderHosts(summarizeHosts(some), { ...print, width: 80, ids })).toMatchInlineSnapshot(`
    "Host    Last result     When        Commit   Build       Because
    gitea   ✗ build failed  11 min ago  9c41e7f  01JDB3K2M4  gitea-1.26.1: builder …
    nas     ✓ built         11 min ago  9c41e7f  01JDB3K2M4
    router  ✓ built         11 min ago  9c41e7f  01JDB3M9Q4
    web01   ✓ built         11 min ago  9c41e7f  01JDB3M9Q4
    "
  `);
});

test("absolute times are those of the local zone", () => {
  vi.stubEnv("TZ", "Europe/Berlin");
  const absolute = { ...print, absolute: true };
  expect(renderBuilds(builds.map(summaryOf), absolute)).toContain("  2026-11-23 15:08:58 +0100  ");
  expect(renderHosts(summarizeHosts(builds), absolute)).toContain("  2026-11-23 15:08:58 +0100  ");
});
