import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { aBuildId } from "../../../test/support/builds.ts";
import { isOver } from "../../protocol/build-state.ts";
import { summaryOf } from "../../protocol/results.ts";
import { hostVerdicts, type HostVerdict } from "../../protocol/verdicts.ts";
import { closingSentence } from "../../words/closing-sentence.ts";
import { verdictWords } from "../../words/verdict-words.ts";
import { htmlOf } from "../page/page.ts";
import { emptyPicture } from "../state/fleet-picture.ts";
import { decideChange } from "./build-changes.ts";
import { buildPage } from "./build-page.ts";
import type { PageContext } from "./page-context.ts";

const signal = AbortSignal.timeout(120_000);
const names = ["db", "nas", "web01", "web02"];

const unused = (): never => {
  throw new Error("a page of a build needs only builds");
};

async function textOf(script: BuildScript, before: readonly BuildScript[] = []): Promise<string> {
  const all = [script, ...before];
  const context: PageContext = {
    url: new URL(`http://dashboard/builds/${script.id}`),
    picture: {
      ...emptyPicture(new Date(0)),
      isComplete: true,
      builds: all.map(({ state }) => summaryOf(state)),
      open: isOver(script.state)
        ? new Map()
        : new Map([[script.id, { state: script.state, hostProgress: new Map() }]]),
    },
    fleet: {
      current: unused,
      onChange: unused,
      deployments: unused,
      rollout: unused,
      build: async (id) => all.find((each) => each.id === id)?.state ?? unused(),
    },
    reader: { unused } as never,
    watcher: { unused } as never,
    logs: { unused } as never,
    searches: { run: unused },
    showsLogs: true,
    isNews: false,
    now: new Date(0),
  };
  const page = await buildPage(context, script.id, signal);
  return page.sections.map((each) => htmlOf(each).toString()).join("\n");
}

type Step = (script: BuildScript) => BuildScript;
const someHosts = fc.subarray(names, { minLength: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  someHosts.map(
    (hosts): Step =>
      (script) =>
        script.evaluated(...hosts),
  ),
  someHosts.map(
    (hosts): Step =>
      (script) =>
        script.building(...hosts),
  ),
  someHosts.map(
    (hosts): Step =>
      (script) =>
        script.derivationFailed(`${hosts[0] ?? ""}-pkg`, hosts),
  ),
  fc.record({ hosts: someHosts, verdict: fc.constantFrom(...hostVerdicts) }).map(
    ({ hosts, verdict }): Step =>
      (script) =>
        script.hostsFinished(verdict, hosts, { reason: `because ${verdict}` }),
  ),
  fc.integer({ min: 1, max: 5000 }).map(
    (ms): Step =>
      (script) =>
        script.wait(ms),
  ),
);

test("a page says of each host and of the build what the command line says, whatever happened", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, ends) => {
      const script = steps.reduce((made, apply) => apply(made), scriptBuild(aBuildId()).accepted(names));
      if (ends) script.finished("failed");
      const text = await textOf(script);
      expect(text).toContain(closingSentence(script.state));
      expect(text.includes("<dt>Took</dt>")).toBe(ends);
      for (const { host, finished } of script.state.hosts.values()) {
        const row = /<tr data-key="host:[^"]*">.*?<\/tr>/gs;
        const own =
          [...text.matchAll(row)].map(([each]) => each).find((each) => each.includes(`/${host}"`)) ?? "";
        const said = /<span class="state [^"]*">.*?<span>(?<word>[^<]*)<\/span>/s.exec(own)?.groups?.["word"];
        const isVerdict = Object.values(verdictWords).includes(said ?? "");
        expect([host, isVerdict && said]).toEqual([
          host,
          finished !== undefined && verdictWords[finished.verdict],
        ]);
      }
    }),
    { numRuns: 200 },
  );
});

test.each<[HostVerdict | undefined, HostVerdict | undefined, string]>([
  [undefined, undefined, "unfinished"],
  ["build-failed", undefined, "newly failing"],
  ["build-failed", "built", "newly failing"],
  ["build-failed", "infra-failed", "newly failing"],
  ["build-failed", "eval-failed", "still failing"],
  ["built", "timed-out", "fixed"],
  ["unchanged", "built", "unchanged"],
  ["infra-failed", "built", "no verdict"],
])("%s after %s is %s", (verdict, earlier, kind) => {
  const build = (of: HostVerdict | undefined): BuildScript => {
    const script = scriptBuild(aBuildId()).accepted(["web01"]);
    return of === undefined ? script : script.hostsFinished(of, ["web01"]);
  };
  const [host] = build(verdict).state.hosts.values();
  if (host === undefined) throw new Error("the build has a host");
  expect(decideChange(host, [build(earlier).state])).toBe(kind);
});

test("a failing derivation is there once, with its hosts and the end of its log", async () => {
  const script = scriptBuild(aBuildId())
    .accepted(names)
    .derivationFailed("gitea-1.26", ["web01"], { tail: ["<last> line"] })
    .derivationFailed("gitea-1.26", ["web02"], { tail: ["<last> line"] })
    .hostsFinished("build-failed", ["web01", "web02"])
    .finished("failed");
  const text = await textOf(script);
  expect(text.match(/data-failure/g)).toHaveLength(1);
  expect(text).toContain("<b>2 hosts</b>");
  expect(text).toContain("&lt;last&gt; line");
});
