import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock, type Clock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { applyEvent, foldEvents, unknownBuild } from "../protocol/build-state.ts";
import type { BuildEvent, EventBody, FinishedHost } from "../protocol/events.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseBuildId,
  parseCommit,
  parseHostName,
  parseRepoName,
} from "../protocol/names.ts";
import { Trigger } from "../protocol/request.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";
import {
  buildOutcomes,
  buildVerdicts,
  hostOutcomes,
  hostVerdicts,
  type HostVerdict,
} from "../protocol/verdicts.ts";
import { evaluationResults } from "./build-series.ts";
import { createMetrics, type Metrics, type MetricsOptions } from "./metrics.ts";

const repo = parseRepoName("nixos");
const main = parseBranchName("main");
const firstCommit = parseCommit("a".repeat(40));
const secondCommit = parseCommit("b".repeat(40));
const hostNames = ["web01", "db01", "mail.lan"].map(parseHostName);
const id = parseBuildId("01ARZ3NDEKTSV4RRFFQ69G5FAV");
const builder = parseBuilderName("cache01");

const metricsWith = (options: Partial<MetricsOptions> = {}): Metrics =>
  createMetrics({
    component: "builder",
    version: "0.1.0",
    branches: new Map([[repo, main]]),
    machines: [],
    sample: () =>
      Promise.resolve({
        queued: 2,
        running: 1,
        oldestStart: new Date("2026-01-02T03:04:05Z"),
        natsConnected: true,
        disk: { availableBytes: 10, totalBytes: 100 },
      }),
    bugs: () => 0,
    clock: systemClock,
    log: silentLog,
    ...options,
  });

/** Gives a build its place in time and in the log. */
function eventsOf(bodies: readonly EventBody[], at = "2026-01-02T03:04:05.000Z"): BuildEvent[] {
  return bodies.map((body, index) => ({ build: id, epoch: 1, index, at, ...body }));
}

function observe(metrics: Metrics, events: readonly BuildEvent[]): void {
  let state = unknownBuild(id);
  for (const event of events) {
    state = applyEvent(state, event);
    metrics.observe(event, state);
  }
}

interface AcceptedOptions {
  readonly hosts?: readonly (typeof hostNames)[number][];
  readonly trigger?: Trigger;
  readonly branch?: string;
  readonly commit?: typeof firstCommit;
}

const accepted = ({
  hosts = hostNames,
  trigger = "poll",
  branch = "main",
  commit = firstCommit,
}: AcceptedOptions = {}): EventBody => ({
  type: "accepted",
  builder,
  priority: "batch",
  trigger,
  requestedBy: "somebody@laptop",
  sources: [{ repo, branch: parseBranchName(branch), commit }],
  hosts: hosts.map((host) => ({ repo, host })),
  skipped: [],
});

const finishedHost = (host: (typeof hostNames)[number], verdict: HostVerdict): FinishedHost => ({
  repo,
  host,
  verdict,
  durationMs: 1000,
});

const hostsFinished = (...hosts: readonly FinishedHost[]): EventBody => ({
  type: "hosts-finished",
  hosts: [...hosts],
});

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

async function scrape(metrics: Metrics): Promise<Series[]> {
  const text = await metrics.render();
  return text
    .split("\n")
    .filter((line) => line.startsWith("homelab_deploy_"))
    .map((line) => {
      const { name, labels, value } =
        /^(?<name>\w+)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line)?.groups ?? {};
      const pairs = [...(labels ?? "").matchAll(/(?<key>\w+)="(?<value>[^"]*)"/g)];
      return {
        name: name?.replace("homelab_deploy_", "") ?? line,
        labels: Object.fromEntries(pairs.map(({ groups }) => [groups?.["key"], groups?.["value"]])),
        value: Number(value),
      };
    });
}

function valueOf(series: readonly Series[], name: string, labels: Readonly<Record<string, string>> = {}) {
  const found = series.filter(
    (each) =>
      each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
  );
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
}

test("before anything happens every series of the builder is there", async () => {
  const series = await scrape(metricsWith());
  for (const result of buildOutcomes.filter((each) => each !== "rejected")) {
    expect(valueOf(series, "build_duration_seconds_count", { result })).toBe(0);
  }
  for (const name of [
    "requests_rejected_total",
    "evaluations_remembered_total",
    "infra_retries_total",
    "last_given_up_build_timestamp_seconds",
    "log_lines_dropped_total",
  ]) {
    expect(valueOf(series, name)).toBe(0);
  }
  expect(valueOf(series, "evaluations_total", { result: "failed" })).toBe(0);
  expect(valueOf(series, "build_info", { component: "builder", version: "0.1.0" })).toBe(1);
  expect(valueOf(series, "builds_queued")).toBe(2);
  expect(valueOf(series, "builds_running")).toBe(1);
  expect(valueOf(series, "oldest_build_start_timestamp_seconds")).toBe(
    Date.parse("2026-01-02T03:04:05Z") / 1000,
  );
  expect(valueOf(series, "nats_connected")).toBe(1);
  expect(valueOf(series, "store_filesystem_avail_bytes")).toBe(10);
  expect(valueOf(series, "store_filesystem_size_bytes")).toBe(100);
});

test("a repo has a series for each input that its flake has now, and no other", async () => {
  const metrics = metricsWith();
  metrics.setInputs(
    repo,
    new Map([
      ["nixpkgs", 1_700_000_000],
      ["gone", 1],
    ]),
  );
  metrics.setInputs(repo, new Map([["nixpkgs", 1_700_000_600]]));
  const pinned = (await scrape(metrics)).filter(({ name }) => name.startsWith("flake_input_"));
  expect(pinned).toEqual([
    {
      name: "flake_input_last_modified_timestamp_seconds",
      labels: { repo, input: "nixpkgs" },
      value: 1_700_000_600,
    },
  ]);
});

test("a flake cannot fill Prometheus with its inputs", async () => {
  const metrics = metricsWith();
  const names = Array.from({ length: 2000 }, (_, index): [string, number] => [`input${index}`, index]);
  metrics.setInputs(repo, new Map([["x".repeat(1000), 1], ...names]));
  const pinned = (await scrape(metrics)).filter(({ name }) => name.startsWith("flake_input_"));
  expect(pinned).toHaveLength(500);
});

test("from its acceptance on a host has a counter for every trigger and verdict", async () => {
  const metrics = metricsWith();
  observe(metrics, eventsOf([accepted()]));
  const series = await scrape(metrics);
  for (const host of hostNames) {
    for (const trigger of Trigger.options) {
      for (const result of hostOutcomes) {
        expect(valueOf(series, "builds_total", { repo, host, trigger, result })).toBe(0);
      }
    }
    expect(valueOf(series, "host_last_build_success", { host })).toBeNaN();
    expect(valueOf(series, "host_last_build_success_timestamp_seconds", { host })).toBe(0);
  }
});

test("counts what happens to hosts, and remembers the last of each", async () => {
  const metrics = metricsWith();
  observe(
    metrics,
    eventsOf([
      accepted(),
      hostsFinished(
        finishedHost(hostNames[0] ?? parseHostName("x"), "built"),
        finishedHost(hostNames[1] ?? parseHostName("x"), "eval-failed"),
        finishedHost(hostNames[2] ?? parseHostName("x"), "infra-failed"),
      ),
      { type: "retrying", hosts: [], reason: "disk", attempt: 2, delayMs: 1 },
      { type: "finished", verdict: "failed", durationMs: 90_000 },
    ]),
  );
  const series = await scrape(metrics);
  expect(valueOf(series, "builds_total", { host: "web01", trigger: "poll", result: "built" })).toBe(1);
  expect(valueOf(series, "host_last_build_success", { host: "web01" })).toBe(1);
  expect(valueOf(series, "host_last_build_success_timestamp_seconds", { host: "web01" })).toBe(
    Date.parse("2026-01-02T03:04:05Z") / 1000,
  );
  expect(valueOf(series, "host_info", { host: "web01" })).toBe(1);
  expect(valueOf(series, "host_info", { host: "web01", revision: firstCommit })).toBe(1);
  expect(valueOf(series, "host_last_build_success", { host: "db01" })).toBe(0);
  // Not the host's fault: nothing is known about it.
  expect(valueOf(series, "host_last_build_success", { host: "mail.lan" })).toBeNaN();
  expect(valueOf(series, "evaluations_total", { result: "failed" })).toBe(1);
  expect(valueOf(series, "infra_retries_total")).toBe(1);
  expect(valueOf(series, "build_duration_seconds_count", { result: "failed" })).toBe(1);
  expect(valueOf(series, "build_duration_seconds_sum", { result: "failed" })).toBe(90);
});

const [web] = hostNames;

test("a build of another branch counts, and says nothing about the fleet", async () => {
  const metrics = metricsWith();
  if (web === undefined) throw new Error("no host");
  observe(metrics, eventsOf([accepted(), hostsFinished(finishedHost(web, "built"))]));
  observe(
    metrics,
    eventsOf([
      accepted({ branch: "experiment", trigger: "manual", commit: secondCommit, hosts: [web] }),
      hostsFinished(finishedHost(web, "build-failed")),
    ]),
  );
  const series = await scrape(metrics);
  expect(valueOf(series, "builds_total", { host: web, trigger: "manual", result: "build-failed" })).toBe(1);
  expect(valueOf(series, "host_last_build_success", { host: web })).toBe(1);
  expect(valueOf(series, "host_info", { host: web, revision: firstCommit })).toBe(1);
});

test("an older build that ends later does not turn time back", async () => {
  const metrics = metricsWith();
  if (web === undefined) throw new Error("no host");
  observe(
    metrics,
    eventsOf(
      [accepted({ commit: secondCommit }), hostsFinished(finishedHost(web, "built"))],
      "2026-02-01T00:00:00Z",
    ),
  );
  observe(
    metrics,
    eventsOf([accepted(), hostsFinished(finishedHost(web, "build-failed"))], "2026-01-01T00:00:00Z"),
  );
  const series = await scrape(metrics);
  expect(valueOf(series, "host_last_build_success", { host: web })).toBe(1);
  expect(valueOf(series, "host_info", { host: web, revision: secondCommit })).toBe(1);
});

test("bugs are counted from the first scrape on, whoever met them", async () => {
  let count = 0;
  const metrics = metricsWith({ bugs: () => count });
  expect(valueOf(await scrape(metrics), "internal_errors_total")).toBe(0);
  count = 2;
  expect(valueOf(await scrape(metrics), "internal_errors_total")).toBe(2);
});

test("a bug in homelab-deploy is a result of its own, and says nothing of the host", async () => {
  const metrics = metricsWith();
  if (web === undefined) throw new Error("no host");
  observe(
    metrics,
    eventsOf([
      accepted(),
      hostsFinished({ ...finishedHost(web, "infra-failed"), code: "INTERNAL" }),
      { type: "finished", verdict: "infra-failed", code: "INTERNAL", durationMs: 1000 },
    ]),
  );
  const series = await scrape(metrics);
  const ended = (result: string): number | undefined =>
    valueOf(series, "builds_total", { host: web, trigger: "poll", result });
  expect([ended("internal-error"), ended("infra-failed")]).toEqual([1, 0]);
  expect(valueOf(series, "build_duration_seconds_count", { result: "internal-error" })).toBe(1);
  expect(valueOf(series, "host_last_build_success", { host: web })).toBeNaN();
});

test("all series of a host that left the repo go, and only those", async () => {
  const metrics = metricsWith();
  if (web === undefined) throw new Error("no host");
  observe(metrics, eventsOf([accepted(), hostsFinished(finishedHost(web, "built"))]));
  observe(metrics, eventsOf([accepted({ hosts: hostNames.slice(1) })]));
  const series = await scrape(metrics);
  expect(series.filter(({ labels }) => labels["host"] === web)).toEqual([]);
  const perHost = 1 + 1 + 1 + Trigger.options.length * hostOutcomes.length;
  expect(series.filter(({ labels }) => labels["host"] === "db01")).toHaveLength(perHost);
  // A request for one host does not say that the others are gone.
  observe(metrics, eventsOf([accepted({ hosts: hostNames.slice(2), trigger: "manual" })]));
  expect((await scrape(metrics)).filter(({ labels }) => labels["host"] === "db01")).toHaveLength(perHost);
});

test("a restarted builder knows from the event log what was, without counting it again", async () => {
  const metrics = metricsWith();
  if (web === undefined) throw new Error("no host");
  metrics.restore(foldEvents(id, eventsOf([accepted(), hostsFinished(finishedHost(web, "unchanged"))])));
  const series = await scrape(metrics);
  expect(valueOf(series, "host_last_build_success", { host: web })).toBe(1);
  expect(valueOf(series, "host_info", { host: web, revision: firstCommit })).toBe(1);
  expect(valueOf(series, "builds_total", { host: web, trigger: "poll", result: "unchanged" })).toBe(0);
});

test("a build from the event log that is older than what was seen since does not bring hosts back or take them", async () => {
  const metrics = metricsWith();
  observe(metrics, eventsOf([accepted({ hosts: hostNames.slice(1) })], "2026-02-01T00:00:00Z"));
  metrics.restore(
    foldEvents(id, eventsOf([accepted({ hosts: hostNames.slice(0, 2) })], "2026-01-01T00:00:00Z")),
  );
  const hosts = new Set((await scrape(metrics)).map(({ labels }) => labels["host"]));
  expect(hosts).toEqual(new Set([undefined, ...hostNames.slice(1)]));
});

test("a build that was given up is known after a restart too", async () => {
  const events = eventsOf(
    [accepted(), { type: "finished", verdict: "infra-failed", code: "GIVEN_UP", durationMs: 1 }],
    "2026-02-01T00:00:00Z",
  );
  const [live, restored] = [metricsWith(), metricsWith()];
  observe(live, events);
  restored.restore(foldEvents(id, events));
  restored.restore(foldEvents(id, eventsOf([accepted()], "2026-02-02T00:00:00Z")));
  for (const metrics of [live, restored]) {
    const series = await scrape(metrics);
    expect(valueOf(series, "last_given_up_build_timestamp_seconds")).toBe(
      Date.parse("2026-02-01T00:00:00Z") / 1000,
    );
  }
});

test("what cannot be sampled is NaN, and the rest is still there", async () => {
  const failing = metricsWith({ sample: () => Promise.reject(new Error("no disk")) });
  const impatient: Clock = { ...systemClock, sleep: () => Promise.resolve() };
  const hanging = metricsWith({ sample: () => new Promise(() => undefined), clock: impatient });
  for (const metrics of [failing, hanging]) {
    const series = await scrape(metrics);
    expect(valueOf(series, "nats_connected")).toBe(0);
    expect(valueOf(series, "builds_queued")).toBeNaN();
    expect(valueOf(series, "oldest_build_start_timestamp_seconds")).toBeNaN();
    expect(valueOf(series, "store_filesystem_avail_bytes")).toBeNaN();
    expect(valueOf(series, "infra_retries_total")).toBe(0);
  }
});

test("whatever happens, labels are known names", async () => {
  const stranger = parseHostName("stranger");
  const known = new Set<string>([
    repo,
    ...hostNames,
    firstCommit,
    secondCommit,
    "",
    "builder",
    "0.1.0",
    ...hostOutcomes,
    ...buildOutcomes,
    ...Trigger.options,
    ...evaluationResults,
  ]);
  const host = fc.constantFrom(...hostNames, stranger);
  const verdict = fc.constantFrom(...hostVerdicts);
  const words = fc.constantFrom("secret words", `/nix/store/${"0".repeat(32)}-x.drv`, 'a"b\n');
  const body: fc.Arbitrary<EventBody> = fc.oneof(
    fc
      .record({
        type: fc.constant("hosts-finished" as const),
        hosts: fc.array(fc.tuple(host, verdict, words)),
      })
      .map(({ type, hosts }) => ({
        type,
        hosts: hosts.map(([name, each, reason]) => ({
          ...finishedHost(name, each),
          reason,
          details: reason,
        })),
      })),
    words.map((message) => ({ type: "warning" as const, message })),
    words.map((reason) => ({ type: "retrying" as const, hosts: [], reason, attempt: 1, delayMs: 0 })),
    words.map((message) => ({ type: "rejected" as const, code: message, message, hint: message })),
    fc.record({
      type: fc.constant("finished" as const),
      verdict: fc.constantFrom(...buildVerdicts),
      reason: words,
      durationMs: fc.nat(),
    }),
  );
  const first = fc
    .record({
      hosts: fc.subarray(hostNames, { minLength: 1 }),
      trigger: fc.constantFrom(...Trigger.options),
      branch: fc.constantFrom("main", "other"),
      commit: fc.constantFrom(firstCommit, secondCommit),
    })
    .map(accepted);
  const build = fc
    .tuple(first, fc.array(body, { maxLength: 6 }))
    .map(([start, rest]) => eventsOf([start, ...rest]));
  await fc.assert(
    fc.asyncProperty(fc.array(build, { maxLength: 4 }), async (builds) => {
      const metrics = metricsWith();
      for (const events of builds) observe(metrics, events);
      const labels = (await scrape(metrics)).flatMap((series) => Object.entries(series.labels));
      const unknown = labels.filter(([key, value]) => key !== "le" && !known.has(value));
      expect(unknown).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test("updates: when one last succeeded, and which pull requests are open as the newest news know", async () => {
  const metrics = metricsWith();
  const tell = (outcome: UpdateEvent["outcome"], day: string, numbers?: readonly number[]): void =>
    metrics.observeUpdate({
      repo,
      run: day,
      outcome,
      at: `2026-01-${day}T00:00:00Z`,
      inputs: [],
      hosts: {},
      ...(numbers === undefined
        ? {}
        : { pullRequests: numbers.map((number) => ({ number, createdAt: "2026-01-02T00:00:00Z" })) }),
    });
  const shown = async (): Promise<readonly string[]> =>
    (await metrics.render()).match(/^homelab_deploy_update_.*$/gm) ?? [];
  const success = (day: number): string =>
    `homelab_deploy_update_last_success_timestamp_seconds{repo="nixos"} ${Date.UTC(2026, 0, day) / 1000}`;
  const open = `homelab_deploy_update_pull_request_created_timestamp_seconds{repo="nixos",number="42"} ${Date.UTC(2026, 0, 2) / 1000}`;

  expect(await shown()).toEqual([]);
  tell("no-change", "01", []);
  tell("proposed", "02", [42]);
  tell("failed", "03");
  expect(await shown()).toEqual([success(1), open]);
  tell("declined", "04", []);
  expect(await shown()).toEqual([success(1)]);
  tell("landed", "05", []);
  expect(await shown()).toEqual([success(5)]);
  metrics.observeUpdate({ ...landedElsewhere, repo: parseRepoName("another") });
  expect(await shown()).toEqual([success(5)]);
});

test("inputs that could not be updated are shown until an update reaches them again", async () => {
  const metrics = metricsWith();
  const tell = (unavailable: UpdateEvent["unavailable"]): void =>
    metrics.observeUpdate({ ...landedElsewhere, repo: parseRepoName("nixos"), unavailable });
  const shown = async (): Promise<readonly string[]> =>
    (await metrics.render()).match(/^homelab_deploy_update_input_unavailable\{.*$/gm) ?? [];
  const gone = { reason: "it is gone", runs: 1, needsPerson: true };
  tell([
    { input: "a", ...gone },
    { input: "b", ...gone, needsPerson: false },
  ]);
  // An update that never asked upstream says nothing about them.
  tell(undefined);
  expect(await shown()).toEqual([
    'homelab_deploy_update_input_unavailable{repo="nixos",input="a"} 1',
    'homelab_deploy_update_input_unavailable{repo="nixos",input="b"} 0',
  ]);
  tell([{ input: "b", ...gone }]);
  expect(await shown()).toEqual(['homelab_deploy_update_input_unavailable{repo="nixos",input="b"} 1']);
  tell([]);
  expect(await shown()).toEqual([]);
});

test("remote builders have their series before anything is built, and end as what they did", async () => {
  const now = new Date("2026-01-02T03:04:05Z");
  const metrics = metricsWith({ machines: ["ssh://arm1"], clock: { ...systemClock, now: () => now } });
  const shown = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...(await metrics.render()).matchAll(/^homelab_deploy_remote_builder_(?<name>\S+) (?<value>\S+)$/gm)]
        .map(({ groups }) => [groups?.["name"] ?? "", Number(groups?.["value"])] as const)
        .filter(([name]) => name.includes("arm1")),
    );
  expect(new Set(Object.values(await shown()))).toEqual(new Set([0]));
  for (const news of ["started", "built", "started", "failed"] as const)
    metrics.observeRemoteBuild("ssh://arm1", news);
  const seconds = now.getTime() / 1000;
  const working = {
    'derivations_started_total{machine="ssh://arm1"}': 2,
    'derivations_total{machine="ssh://arm1",result="built"}': 1,
    'derivations_total{machine="ssh://arm1",result="failed"}': 1,
    'derivations_total{machine="ssh://arm1",result="infra-failed"}': 0,
    'derivations_total{machine="ssh://arm1",result="interrupted"}': 0,
    'refusals_total{machine="ssh://arm1"}': 0,
    'last_success_timestamp_seconds{machine="ssh://arm1"}': seconds,
    'last_failure_timestamp_seconds{machine="ssh://arm1"}': 0,
  };
  expect(await shown()).toEqual(working);
  metrics.observeRemoteBuild("ssh://arm1", "refused");
  expect(await shown()).toEqual({
    ...working,
    'refusals_total{machine="ssh://arm1"}': 1,
    'last_failure_timestamp_seconds{machine="ssh://arm1"}': seconds,
  });
});

test("however many machines nix.conf has had, their labels are bounded", async () => {
  const metrics = metricsWith({ machines: [] });
  for (let i = 0; i < 1000; i++) metrics.observeRemoteBuild(`ssh://m${i}`, "started");
  const lines = (await metrics.render()).match(
    /^homelab_deploy_remote_builder_derivations_started_total.*$/gm,
  );
  expect(lines).toHaveLength(65);
  expect(lines?.at(-1)).toBe('homelab_deploy_remote_builder_derivations_started_total{machine="other"} 936');
});

const landedElsewhere: Omit<UpdateEvent, "repo"> = {
  run: "1",
  outcome: "landed",
  at: "2026-01-06T00:00:00Z",
  inputs: [],
  hosts: {},
};
