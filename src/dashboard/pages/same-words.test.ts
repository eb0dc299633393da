// What Fleet and Host say is what `homelab-deploy hosts` and `hosts show` say, whatever happened.
import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { aBuildId } from "../../../test/support/builds.ts";
import { scriptDeployments } from "../../../test/support/deploy-events.ts";
import { orderId, somePath } from "../../../test/support/deploy-orders.ts";
import { someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { renderRunningHost } from "../../cli/print/pages/deployments-page.ts";
import { renderRunning } from "../../cli/print/pages/running-table.ts";
import { plainStyle } from "../../cli/print/style.ts";
import { runningHosts } from "../../fleet/running-hosts.ts";
import { deployOutcomes } from "../../protocol/deploy/deploy-codes.ts";
import { foldDeployEvents } from "../../protocol/deploy/deployment.ts";
import { driftKinds } from "../../protocol/deploy/host-state.ts";
import { parseCommit } from "../../protocol/names.ts";
import { summaryOf } from "../../protocol/results.ts";
import { htmlOf } from "../page/page.ts";
import { emptyPicture } from "../state/fleet-picture.ts";
import { fleetHosts } from "./fleet-hosts.ts";
import { hostTables } from "./fleet-table.ts";
import { deploymentsSection } from "./host-deployments.ts";

const now = new Date("2026-11-29T12:30:00.000Z");
const print = { style: plainStyle, now, width: 400 };
const commits = ["a", "b", "c"].map((letter) => parseCommit(letter.repeat(40)));
const builds = commits.slice(0, 2).map((commit) => {
  const sources = [{ repo: "nixos-servers" as never, commit }];
  return summaryOf(scriptBuild(aBuildId()).accepted(["web01"], { sources }).state);
});
const plain = (html: string): string =>
  html
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();

const hostState = fc.record(
  {
    at: fc.constantFrom("2026-11-29T12:29:30.000Z", "2026-11-29T11:00:00.000Z"),
    running: fc.record({
      path: fc.constant(somePath("new")),
      commit: fc.constantFrom(...commits, undefined),
      nixosVersion: fc.constantFrom("26.05pre", undefined),
    }),
    last: fc.record({
      outcome: fc.constantFrom(...deployOutcomes),
      at: fc.constant("2026-11-29T12:00:00.000Z"),
    }),
    order: fc.constant({ id: orderId(1), serial: 1, phase: "checking" }),
    drift: fc.subarray([...driftKinds]),
    reboot: fc.record({ needed: fc.subarray(["kernel", "initrd"]) }),
    failedUnits: fc.subarray(["nginx.service", "gitea.service"]),
    hold: fc.constant("no deploys before the fair"),
    migration: fc.boolean(),
    clock: fc.record({ ok: fc.boolean() }),
  },
  { requiredKeys: [] },
);

test("Fleet says of each host what `hosts` says", () => {
  fc.assert(
    fc.property(fc.array(hostState, { minLength: 1, maxLength: 4 }), (changes) => {
      const states = changes.map((change, index) => someHostState({ host: `host${index}`, ...change }));
      const running = runningHosts({ rows: [], states, builds, holdOf: () => undefined }, now);
      const lines = renderRunning(running, print).split("\n").slice(1);
      const [table] = hostTables(
        new URL("http://d/"),
        fleetHosts({ ...emptyPicture(now), running }),
        running.length,
      );
      running.forEach(({ behind }, index) => {
        const part = table?.rows[index];
        const row = part === undefined ? "" : htmlOf(part).toString();
        const cell = (title: string): string =>
          new RegExp(`data-label="${title}">(?<content>.*?)</td>`, "s").exec(row)?.groups?.["content"] ?? "";
        const words = cell("State").split("</svg>").slice(1).map(plain);
        const line = lines[index] ?? "";
        expect(line).toContain(`  ${words.join("; ")}  `);
        const [, runs = "", further] =
          /^(?<runs>.*?)(?: (?<further>\d+) behind)?$/.exec(plain(cell("Runs"))) ?? [];
        expect(line).toContain(`  ${runs}  `);
        expect(further).toBe(behind === undefined || behind === 0 ? undefined : String(behind));
      });
    }),
    { numRuns: 200 },
  );
});

const steps = [
  "fetching",
  "fetched",
  "ready",
  "activating",
  "activated",
  "checking",
  "confirmed",
  "persisting",
  "staged",
  "rebooting",
  "rolling-back",
] as const;
const event = fc.oneof(
  fc.constantFrom(...steps).map((type) => ({ type, more: {} })),
  fc
    .constantFrom(...deployOutcomes)
    .map((outcome) => ({ type: "finished" as const, more: { outcome, detail: "it was so" } })),
);

test("Host says of each deployment what `hosts show` says, and nothing that continues as over", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 14 }), (events) => {
      const script = events.reduce(
        (made, { type, more }) => made.add(type, more),
        scriptDeployments().add("received"),
      );
      const deployments = foldDeployEvents(script.events).deployments.toReversed();
      const [host] = runningHosts(
        { rows: [], states: [someHostState()], builds: [], holdOf: () => undefined },
        now,
      );
      if (host === undefined) throw new Error("a host");
      const lines = renderRunningHost(host, deployments, print)
        .trimEnd()
        .split("\n")
        .slice(-deployments.length);
      const section = htmlOf(deploymentsSection(host, deployments)).toString();
      const summaries = [...section.matchAll(/<summary>(?<summary>.*?)<\/summary>/gs)].map(
        ({ groups }) => groups?.["summary"] ?? "",
      );
      expect(summaries).toHaveLength(deployments.length);
      deployments.forEach(({ end, phase }, index) => {
        const said = plain(summaries[index]?.split("</svg>")[1]?.split("</span>")[0] ?? "");
        expect(said).not.toBe("");
        expect(said).toBe(phase === "staged" && end === undefined ? "waits for a reboot" : said);
        const isInLine = lines[index]?.includes(`  ${said}`) ?? false;
        expect(isInLine || said === "waits for a reboot").toBe(true);
        expect(/so far|since \d/.test(summaries[index] ?? "")).toBe(end === undefined);
      });
    }),
    { numRuns: 200 },
  );
});
