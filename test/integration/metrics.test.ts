import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { silentLog, type Log } from "../../src/base/log.ts";
import { startMetricsServer } from "../../src/metrics/metrics-server.ts";
import { createMetrics, type Metrics } from "../../src/metrics/metrics.ts";
import { pushMetrics } from "../../src/metrics/pushgateway.ts";
import { applyEvent, unknownBuild } from "../../src/protocol/build-state.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseBuildId,
  parseCommit,
  parseHostName,
  parseRepoName,
} from "../../src/protocol/names.ts";

const never = new AbortController().signal;
const repo = parseRepoName("nixos");
const builder = parseBuilderName("cache01");

/** Why a test of a program is skipped; undefined when the program is there. */
function missing(program: string): string | undefined {
  const { error } = spawnSync(program, ["--version"], { stdio: "ignore" });
  return error === undefined ? undefined : `${program} is not installed`;
}

/** Metrics of a builder that built one host. */
function livedMetrics(): Metrics {
  const metrics = createMetrics({
    component: "builder",
    version: "0.1.0",
    machines: [],
    bugs: () => 0,
    branches: new Map([[repo, parseBranchName("main")]]),
    sample: () =>
      Promise.resolve({
        queued: undefined,
        running: 0,
        oldestStart: undefined,
        natsConnected: true,
        disk: undefined,
      }),
    clock: systemClock,
    log: silentLog,
  });
  const host = parseHostName("mail.lan");
  const source = { repo, branch: parseBranchName("main"), commit: parseCommit("a".repeat(40)) };
  const common = { build: parseBuildId("01ARZ3NDEKTSV4RRFFQ69G5FAV"), epoch: 1, at: "2026-01-02T03:04:05Z" };
  const events: BuildEvent[] = [
    {
      ...common,
      index: 0,
      type: "accepted",
      builder,
      priority: "batch",
      trigger: "poll",
      sources: [source],
      hosts: [{ repo, host }],
      skipped: [],
    },
    {
      ...common,
      index: 1,
      type: "hosts-finished",
      hosts: [{ repo, host, verdict: "built", durationMs: 1 }],
    },
    { ...common, index: 2, type: "finished", verdict: "succeeded", durationMs: 1 },
  ];
  let state = unknownBuild(common.build);
  for (const event of events) {
    state = applyEvent(state, event);
    metrics.observe(event, state);
  }
  return metrics;
}

const serve = (metrics = livedMetrics(), isHealthy = () => true) =>
  startMetricsServer({ listen: "127.0.0.1:0", metrics, isHealthy, log: silentLog });

test("Prometheus' own checker finds nothing wrong with a scrape", async ({ skip }) => {
  skip(missing("promtool") !== undefined, missing("promtool"));
  await using server = await serve();
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  const text = await response.text();
  expect(text).toContain('homelab_deploy_host_last_build_success{repo="nixos",host="mail.lan"} 1');
  expect(text).toContain("process_resident_memory_bytes");
  const checker = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  expect(checker.stderr + checker.stdout).toBe("");
  expect(checker.status).toBe(0);
});

test("serves metrics and health, and nothing else", async () => {
  let healthy = true;
  await using server = await serve(livedMetrics(), () => healthy);
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    await response.text();
    return response.status;
  };
  expect(await ask("/healthz")).toBe(200);
  healthy = false;
  expect(await ask("/healthz")).toBe(503);
  expect(await ask("/metrics?x=1")).toBe(200);
  expect(await ask("/metrics", "HEAD")).toBe(200);
  expect(await ask("/metrics", "POST")).toBe(405);
  expect(await ask("/")).toBe(404);
  expect(await ask("/metrics/../etc/passwd")).toBe(404);
});

test("scrapes at the same time share one rendering, and a failed one does not stay", async () => {
  let renderings = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const metrics = createMetrics({
    component: "builder",
    version: "0.1.0",
    machines: [],
    bugs: () => 0,
    branches: new Map(),
    sample: async () => {
      renderings++;
      await promise;
      return { queued: 0, running: 0, oldestStart: undefined, natsConnected: true, disk: undefined };
    },
    clock: systemClock,
    log: silentLog,
  });
  const scrapes = Promise.all(Array.from({ length: 10 }, () => metrics.render()));
  resolve();
  expect(new Set(await scrapes).size).toBe(1);
  expect(renderings).toBe(1);
  await metrics.render();
  expect(renderings).toBe(2);
});

test("a request with enormous headers is cut off, and the server goes on", async () => {
  await using server = await serve();
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(100_000)}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toContain("431");
  socket.destroy();
  expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
});

test("an address that is taken is said at the start", async () => {
  await using server = await serve();
  await expect(
    startMetricsServer({
      listen: `127.0.0.1:${server.port}`,
      metrics: livedMetrics(),
      isHealthy: () => true,
      log: silentLog,
    }),
  ).rejects.toMatchObject({ kind: "unavailable", code: "METRICS_LISTEN" });
});

test("a real pushgateway takes the metrics, and the next push replaces them", async ({ skip }) => {
  skip(missing("prometheus-pushgateway") !== undefined, missing("prometheus-pushgateway"));
  const url = await freeUrl();
  const gateway = spawn("prometheus-pushgateway", [`--web.listen-address=${url.replace("http://", "")}`], {
    stdio: "ignore",
  });
  const exited = once(gateway, "exit");
  try {
    await expect.poll(() => isReady(url), { timeout: 30_000 }).toBe(true);
    const options = { url: `${url}/`, builder, clock: systemClock, log: silentLog, signal: never };
    expect(await pushMetrics({ ...options, metrics: livedMetrics() })).toBe(true);
    const scrape = await fetch(`${url}/metrics`);
    expect(await scrape.text()).toMatch(
      /homelab_deploy_builds_total\{[^}]*instance="cache01",job="homelab-deploy"[^}]*\} 1/,
    );
    expect(await pushMetrics({ ...options, metrics: livedMetrics() })).toBe(true);
  } finally {
    gateway.kill();
    await exited;
  }
});

/** What a gateway that is not well does to us. */
async function pushTo(statuses: readonly number[]) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume();
    response.writeHead(statuses[requests.length - 1] ?? 500).end("\u001b[31mgo away\u001b[0m\nand more");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const waits: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (milliseconds, signal) => {
      // The deadline of a request is not to come; the wait before another attempt passes at once.
      if (milliseconds === 10_000) return systemClock.sleep(milliseconds, signal);
      waits.push(milliseconds);
      return Promise.resolve();
    },
  };
  const warnings: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (fields, message) => warnings.push(`${message}: ${messageOf(fields["err"])}`),
  };
  const url = `http://127.0.0.1:${port}`;
  const worked = await pushMetrics({ url, builder, metrics: livedMetrics(), clock, log, signal: never });
  server.close();
  return { worked, requests, warnings, waits };
}

test("tries again when the gateway is not well, and only then", async () => {
  const put = "PUT /metrics/job/homelab-deploy/instance/cache01";
  expect(await pushTo([503, 200])).toMatchObject({ worked: true, requests: [put, put], warnings: [] });
  expect(await pushTo([400])).toMatchObject({
    worked: false,
    requests: [put],
    warnings: ["the metrics could not be pushed: the pushgateway answered 400: go away"],
  });
  const { worked, requests, waits, warnings } = await pushTo([500, 500, 500, 200]);
  expect({ worked, requests: requests.length, waits: waits.length }).toEqual({
    worked: false,
    requests: 3,
    waits: 2,
  });
  expect(warnings).toEqual(["the metrics could not be pushed: the pushgateway answered 500: go away"]);
});

test("a user and a password in the address are not sent, and not told", async () => {
  const fields: unknown[] = [];
  const log: Log = { ...silentLog, warn: (given, message) => fields.push(given, message) };
  const url = "http://user:hunter22@127.0.0.1:1/gateway";
  const options = { url, builder, metrics: livedMetrics(), clock: systemClock, log, signal: never };
  expect(await pushMetrics(options)).toBe(false);
  const said = inspect(fields, { depth: null });
  expect(said).toContain("metrics.pushgateway has a user or a password in it");
  expect(said).toContain("http://127.0.0.1:1/gateway");
  expect(said).not.toContain("hunter22");
});

async function freeUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
